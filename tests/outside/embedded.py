"""The official conformance suite against the embedded node, for every revision of MCP. It fails if a
scenario fails that `embedded-expected-failures.yaml` does not list, or if a listed one passes."""

import re
import subprocess
import tempfile

from conformance import LEGS, PLACE, SUITE_SECONDS
from harness import Failed, clusterctl, free_offset, installed, listens, npm_ci, wait_until

EXPECTED_FAILURES = PLACE / "embedded-expected-failures.yaml"


def run():
    suites = installed("conformance", PLACE, npm_ci) / "node_modules"
    offset = free_offset()
    tcp, http = (f"127.0.0.1:{port + offset}" for port in (9001, 8081))
    command = [clusterctl(), "node", "--name", "conformance", "--workers", "2"]
    node = subprocess.Popen(
        [*command, "--tcp", tcp, "--http", http], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until("the node", lambda: listens(8081 + offset))
        legs = [(suite, revision) for suite, revisions in LEGS for revision in revisions]
        return [problem for leg in legs for problem in judge(suites, f"http://{http}/mcp", *leg)]
    finally:
        node.terminate()
        node.wait()


def judge(suites, url, suite, revision):
    """Runs all scenarios of one revision; the problem, if it is judged as failed."""
    with tempfile.TemporaryDirectory() as directory:
        command = [suites / "node" / "bin" / "node", suites / f"suite-{suite}" / "dist" / "index.js"]
        command += ["server", "--url", url, "--suite", "all", "--spec-version", revision]
        command += ["--expected-failures", EXPECTED_FAILURES, "--output-dir", directory]
        done = subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SUITE_SECONDS,
        )
    total = re.search(r"^Total: (.*)$", done.stdout, re.MULTILINE)
    if not total:
        raise Failed(f"suite {suite} has no results: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    print(f"embedded   suite {suite:15} revision {revision}  {total[1]}", flush=True)
    if done.returncode == 0:
        return []
    end = done.stdout[total.end() :].strip()
    return [f"the embedded node, revision {revision} (suite {suite}): {end}"]
