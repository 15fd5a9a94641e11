"""Holds connections to an MCP server over TCP, and counts what happens to them:

    held_clients.py PORT COUNT

Each client sends a `ping` each second. Besides, 50 connections per second are made, used once and
closed. Prints `ready` once all are connected, then a line of JSON for each line that it reads."""

import asyncio
import itertools
import json
import resource
import sys

NEW_PER_SECOND = 50
ANSWER_SECONDS = 20
#: Addresses of the clients that come and go.
ADDRESSES = 1_000
PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'


class Counts:
    def __init__(self):
        self.held = self.answered = self.new = self.cut = self.refused = 0
        self.faults = []

    def report(self):
        print(json.dumps(self.__dict__), flush=True)
        self.faults = []


async def ask(reader, writer):
    writer.write(PING)
    line = await asyncio.wait_for(reader.readline(), ANSWER_SECONDS)
    if b'"result"' not in line:
        raise ConnectionError(f"answered {line[:80]!r}")


def address(number):
    """One address for each client, because a node is chosen by it."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


async def hold(port, number, counts):
    try:
        reader, writer = await connect(port, number)
        await ask(reader, writer)
    except (OSError, TimeoutError) as error:
        counts.refused += 1
        counts.faults.append(repr(error))
        return
    counts.held += 1
    asyncio.get_running_loop().create_task(stay(reader, writer, counts))


async def connect(port, number):
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(address(number), 0))


async def stay(reader, writer, counts):
    try:
        while True:
            await asyncio.sleep(1)
            await ask(reader, writer)
            counts.answered += 1
    except (OSError, TimeoutError) as error:
        counts.held -= 1
        counts.cut += 1
        counts.faults.append(repr(error))


async def come_and_go(port, counts):
    for number in itertools.cycle(range(ADDRESSES)):
        await asyncio.sleep(1 / NEW_PER_SECOND)
        try:
            reader, writer = await connect(port, number)
            await ask(reader, writer)
            writer.close()
            counts.new += 1
        except (OSError, TimeoutError) as error:
            counts.refused += 1
            counts.faults.append(repr(error))


async def main(port, count):
    counts = Counts()
    for first in range(0, count, 100):
        numbers = range(first, min(first + 100, count))
        await asyncio.gather(*(hold(port, number, counts) for number in numbers))
    keep = asyncio.create_task(come_and_go(port, counts))
    print("ready", flush=True)
    lines = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(lines)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while await lines.readline():
        counts.report()
    keep.cancel()


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main(*map(int, sys.argv[1:])))
