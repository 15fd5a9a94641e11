"""A node of two versions for tests of rollouts, in front of an embedded node, which does the work:

    server.py BEHAVIOUR NAME TCP-PORT HTTP-PORT

| behaviour | what it does |
| --- | --- |
| good | it is the embedded node |
| exits | it ends at once, with status 3 |
| hangs | it accepts connections, and never answers |
| fails | it answers 500 to every POST, and is healthy otherwise |
| slow | every answer comes SLOW_SECONDS later [0.05], health checks included |

BIN names the program. The embedded node of the behaviours `fails` and `slow` listens on ports that
no other process uses, and ends with this process.
"""

import asyncio
import ctypes
import os
import resource
import signal
import socket
import sys

behaviour, name, *ports = sys.argv[1:]
PORTS = [int(port) for port in ports]
BIN = os.environ.get("BIN", "clusterctl")
DELAY = float(os.environ.get("SLOW_SECONDS", 0.05)) if behaviour == "slow" else 0
BLOCK_BYTES = 64 * 1024
START_SECONDS = 30
ERROR = b'{"error":"version 2 is broken"}'
ANSWER = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(ERROR), ERROR)
)
#: The number of `PR_SET_PDEATHSIG`.
SET_PARENT_DEATH_SIGNAL = 1


def command(tcp, http):
    """The embedded node."""
    return [BIN, "node", "--name", name, "--tcp", f"127.0.0.1:{tcp}", "--http", f"127.0.0.1:{http}"]


def free_ports():
    sockets = [socket.socket() for _ in PORTS]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def end_with_parent():
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


async def hang(reader, writer):
    """Reads until the client gives up."""
    try:
        while await reader.read(BLOCK_BYTES):
            pass
    except OSError:
        pass
    writer.close()


async def relay(reader, writer, delay=0.0):
    """Passes bytes on until the end, each block `delay` seconds late."""
    try:
        while block := await reader.read(BLOCK_BYTES):
            if delay:
                await asyncio.sleep(delay)
            writer.write(block)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def relay_requests(reader, writer, client):
    """Passes on what a client sends, up to the first request that is refused."""
    try:
        while block := await reader.read(BLOCK_BYTES):
            if behaviour == "fails" and block.startswith(b"POST"):
                client.write(ANSWER)
                client.close()
                break
            writer.write(block)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


def relayed_to(port):
    async def serve(reader, writer):
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(relay_requests(reader, forth, writer), relay(back, writer, DELAY))
        forth.close()
        writer.close()

    return serve


async def started(ports):
    """The embedded node, once it listens."""
    node = await asyncio.create_subprocess_exec(*command(*ports), preexec_fn=end_with_parent)
    for _ in range(START_SECONDS * 50):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", ports[-1])
            writer.close()
            return node
        except OSError:
            await asyncio.sleep(0.02)
    sys.exit("the embedded node does not listen")


async def main():
    if behaviour == "hangs":
        handlers = [hang, hang]
        end = asyncio.get_running_loop().create_future()
    else:
        own = free_ports()
        node = await started(own)
        end = asyncio.ensure_future(node.wait())
        handlers = [relayed_to(port) for port in own]
    servers = zip(handlers, PORTS, strict=True)
    for handler, port in servers:
        await asyncio.start_server(handler, "127.0.0.1", port, backlog=1024)
    await end


if __name__ == "__main__":
    if behaviour == "exits":
        print("version 2 ends at once", file=sys.stderr)
        sys.exit(3)
    if behaviour == "good":
        os.execvp(BIN, command(*PORTS))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main())
