"""What both stages need: packages, servers, clusters, and requests."""

import fcntl
import functools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / "target" / "outside"
BALANCERS = os.environ.get("BALANCERS", "builtin haproxy nginx").split()
#: The ports of a profile, as far as they are fixed; all of them are shifted together.
PORTS = [8000, 8001, 8002, 8080, *range(8081, 8085), 8404, 8405, 8888, *range(9001, 9005)]
#: The distance between two ranges of ports, and how many there are.
STEP, SLOTS = 1_110, 21
#: The locked files, for as long as this process lives.
LOCKS = []
START_SECONDS = 120


class Failed(Exception):
    """Something did not work; the text tells what."""


def clusterctl():
    binary = Path(os.environ.get("CLUSTERCTL", ROOT / "target/debug/clusterctl")).resolve()
    if not binary.exists():
        raise Failed(f"`{binary}` does not exist: `cargo build`")
    return binary


def run(command, directory=None, environment=None, seconds=600):
    """Runs a command that must succeed; returns its output."""
    environment = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=directory,
            env=environment,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(str(error)) from error
    if done.returncode != 0:
        raise Failed(f"`{' '.join(map(str, command))}`: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def installed(name, source, install):
    """The directory of an installation made from the files in `source`; again when they change."""
    home = CACHE / name
    files = sorted(path for path in source.iterdir() if path.suffix in (".json", ".mjs", ".txt"))
    wanted = "".join(f"{path.name}\n{path.read_text()}" for path in files)
    mark = home / ".installed"
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for path in files:
            shutil.copy(path, home)
        install(home)
        mark.write_text(wanted)
    return home


def npm_ci(home):
    run(["npm", "ci", "--no-audit", "--no-fund", f"--cache={CACHE / 'npm'}"], home)


def wait_until(what, attempt, seconds=START_SECONDS):
    deadline = time.monotonic() + seconds
    while True:
        found = attempt()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failed(f"timed out waiting for {what}")
        time.sleep(0.05)


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@functools.cache
def free_offset():
    """An offset with which all ports of a profile are free. The ranges, and the files that lock them,
    are those of tests/it/harness.rs, which may run at the same time."""
    directory = Path(tempfile.gettempdir()) / "clusterctl-test-ports"
    directory.mkdir(exist_ok=True)
    for slot in range(SLOTS, 0, -1):
        lock = open(directory / str(slot), "a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for port in PORTS:
                with socket.socket() as server:
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    server.bind(("127.0.0.1", port + slot * STEP))
        except OSError:
            lock.close()
            continue
        LOCKS.append(lock)
        return slot * STEP
    raise Failed("no range of ports is free")


class Cluster:
    """A cluster in a run directory of its own, stopped at the end."""

    def __init__(self, directory, environment=None):
        self.directory = directory
        self.offset = free_offset()
        self.run_dir = tempfile.mkdtemp(prefix="outside")
        self.environment = {
            **os.environ,
            **(environment or {}),
            "CLUSTERCTL_RUN_DIR": self.run_dir,
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.command("stop", "--grace", "0")
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def port(self, base):
        return base + self.offset

    def command(self, *arguments):
        """The exit code and the output of a command."""
        return self.bare("--port-offset", str(self.offset), *arguments)

    def adopt(self):
        """`start` without any flag of the profile adopts what a killed supervisor has left."""
        code, output, errors = self.bare("start")
        if code != 0:
            raise Failed(f"`clusterctl start` ended with {code}: {output}{errors}")

    def bare(self, *arguments):
        line = [str(clusterctl()), *arguments]
        done = subprocess.run(
            line,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    def begin(self, *arguments):
        """A command that runs meanwhile."""
        line = [str(clusterctl()), "--port-offset", str(self.offset), *arguments]
        return subprocess.Popen(
            line,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ok(self, *arguments):
        code, output, errors = self.command(*arguments)
        if code != 0:
            raise Failed(f"`clusterctl {' '.join(arguments)}` ended with {code}: {output}{errors}")
        return output

    def status(self):
        return json.loads(self.command("status", "--json")[1])


def post(url, message, session=None):
    """Sends a JSON-RPC message; returns the answer and the id of the session."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        **({"Mcp-Session-Id": session} if session else {}),
    }
    request = urllib.request.Request(url, json.dumps(message).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            session = response.headers.get("Mcp-Session-Id", session)
            text = response.read().decode()
    except (urllib.error.URLError, OSError) as error:
        raise Failed(f"POST {url}: {error}") from error
    lines = [line[5:] for line in text.splitlines() if line.startswith("data:")] or [text]
    answers = [json.loads(line) for line in lines if line.strip()]
    return next((answer for answer in answers if "id" in answer), None), session


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "outside", "version": "1"},
    },
}


def converse(url):
    """One session: it begins, and lists the tools of the server."""
    answer, session = post(url, INITIALIZE)
    if "result" not in answer:
        raise Failed(f"initialize: {answer}")
    post(url, {"jsonrpc": "2.0", "method": "notifications/initialized"}, session)
    answer, _ = post(url, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, session)
    tools = [tool["name"] for tool in answer.get("result", {}).get("tools", [])]
    if not tools:
        raise Failed(f"tools/list: {answer}")
    return tools


def converse_by_events(url):
    """One session of the transport of 2024-11-05: answers come on a stream of events."""
    try:
        with urllib.request.urlopen(url, timeout=60) as stream:
            endpoint = urllib.parse.urljoin(url, next_data(stream))
            send(endpoint, INITIALIZE)
            answer = json.loads(next_data(stream))
            if "result" not in answer:
                raise Failed(f"initialize: {answer}")
            send(endpoint, {"jsonrpc": "2.0", "method": "notifications/initialized"})
            send(endpoint, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
            answer = json.loads(next_data(stream))
            if not answer.get("result", {}).get("tools"):
                raise Failed(f"tools/list: {answer}")
    except (urllib.error.URLError, OSError) as error:
        raise Failed(f"{url}: {error}") from error


def send(url, message):
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(message).encode(), headers)
    urllib.request.urlopen(request, timeout=60).close()


def next_data(stream):
    """The data of the next event."""
    for line in stream:
        if line.startswith(b"data:"):
            return line[5:].strip().decode()
    raise Failed("the stream of events has ended")
