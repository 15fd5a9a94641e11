#!/usr/bin/env python3
"""Runs the official MCP conformance suite against the embedded node, for every revision of MCP.

    tests/outside/conformance/embedded.py BINARY [DIRECTORY]

BINARY is `clusterctl`. DIRECTORY holds the suite and Node.js, which are installed from npm the first
time, and the results; by default `target/conformance`. Fails if a scenario fails that
`embedded-expected-failures.yaml` does not list, or if a listed one passes.
"""

import json
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
EXPECTED_FAILURES = HERE / "embedded-expected-failures.yaml"

# The suite needs Node.js 22. Two versions of it: the released one, and the first one with the final
# MCP 2026-07-28.
PACKAGES = {
    "node": "22.23.3",
    "suite-released": "npm:@modelcontextprotocol/conformance@0.1.16",
    "suite-next": "npm:@modelcontextprotocol/conformance@0.2.0-alpha.12",
}
RUNS = [
    ("suite-released", "2025-06-18"),
    ("suite-released", "2025-11-25"),
    ("suite-next", "2025-03-26"),
    ("suite-next", "2025-06-18"),
    ("suite-next", "2025-11-25"),
    ("suite-next", "2026-07-28"),
]

START_TIMEOUT = 30  # seconds
RUN_TIMEOUT = 300  # seconds


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    binary = pathlib.Path(sys.argv[1]).resolve()
    default = HERE.parents[2] / "target" / "conformance"
    directory = pathlib.Path(sys.argv[2] if len(sys.argv) == 3 else default).resolve()
    install(directory)
    node, url = start(binary)
    try:
        failed = [run for run in RUNS if not passes(directory, url, *run)]
    finally:
        node.terminate()
        node.wait()
    for suite, revision in failed:
        print(f"FAILED {PACKAGES[suite]} for MCP {revision}")
    sys.exit(1 if failed else 0)


def install(directory):
    """Installs the packages, unless these versions are there."""
    package = json.dumps({"private": True, "dependencies": PACKAGES})
    stamp = directory / "installed.json"
    if stamp.exists() and stamp.read_text() == package:
        return
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "package.json").write_text(package)
    quiet = ["--no-audit", "--no-fund", "--loglevel=error", f"--cache={directory / 'cache'}"]
    subprocess.run(["npm", "install", *quiet], cwd=directory, check=True)
    stamp.write_text(package)


def start(binary):
    """Starts a node on free ports; returns its process and the URL of its MCP endpoint."""
    tcp, http = free_ports(2)
    command = [binary, "node", "--name", "conformance", "--workers", "2"]
    node = subprocess.Popen(
        [*command, "--tcp", f"127.0.0.1:{tcp}", "--http", f"127.0.0.1:{http}"],
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + START_TIMEOUT
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{http}/health", timeout=1):
                return node, f"http://127.0.0.1:{http}/mcp"
        except OSError as error:
            if node.poll() is not None or time.monotonic() > end:
                node.kill()
                sys.exit(f"error: the node does not serve: {error}")
            time.sleep(0.05)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def passes(directory, url, suite, revision):
    """Runs all scenarios of one revision; shows the summary, or everything if it fails."""
    modules = directory / "node_modules"
    ran = subprocess.run(
        [
            modules / "node" / "bin" / "node",
            modules / suite / "dist" / "index.js",
            *("server", "--url", url, "--suite", "all", "--spec-version", revision),
            *("--expected-failures", EXPECTED_FAILURES),
            *("--output-dir", directory / "results" / suite / revision),
        ],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_TIMEOUT,
    )
    total = re.search(r"^Total: .*$", ran.stdout, re.MULTILINE)
    print(f"{suite} {revision}: {total[0] if total else 'no result'}", flush=True)
    if ran.returncode != 0 or not total:
        print(ran.stdout)
        return False
    return True


main()
