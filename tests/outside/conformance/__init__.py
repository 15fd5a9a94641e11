"""The official conformance suite: against our server directly, and against four nodes of it behind
each balancer. Every scenario that passes directly has to pass behind each balancer."""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from harness import (
    BALANCERS,
    HERE,
    Cluster,
    Failed,
    free_offset,
    installed,
    listens,
    npm_ci,
    wait_until,
)

PLACE = HERE / "conformance"
#: A release of the suite, and the revisions of which it has scenarios.
LEGS = [
    ("0.1.16", ["2025-06-18", "2025-11-25"]),
    ("0.2.0-alpha.12", ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]),
]
SUITE_SECONDS = 600


def run():
    suites = installed("conformance", PLACE, npm_ci) / "node_modules"
    server = installed("conformance-server", PLACE / "server", npm_ci)
    node = suites / "node" / "bin" / "node"
    direct = judge_directly(suites, node, server)
    problems = []
    for balancer in BALANCERS:
        behind = judge_behind(balancer, suites, node, server)
        problems += compare(balancer, direct, behind)
    return problems


def judge_directly(suites, node, server):
    port = free_offset() + 8081
    environment = {**os.environ, "PORT": str(port)}
    process = subprocess.Popen(
        [str(node), "server.mjs"], cwd=server, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        wait_until("the server", lambda: listens(port))
        return judge("directly", suites, node, f"http://127.0.0.1:{port}/mcp")
    finally:
        process.terminate()
        process.wait()


def judge_behind(balancer, suites, node, server):
    path = f"{node.parent}:{os.environ['PATH']}"
    with Cluster(server, {"PATH": path}) as cluster:
        profile = ["--profile", str(PLACE / "nodes.yaml"), "--set", f"nodes.directory={server}"]
        cluster.ok("start", balancer, *profile)
        results = judge(balancer, suites, node, f"http://127.0.0.1:{cluster.port(8080)}/mcp")
        if (state := cluster.status()["state"]) != "healthy":
            raise Failed(f"the cluster behind {balancer} is {state} afterwards")
        return results


def judge(place, suites, node, url):
    """The results of every scenario: how many of its checks succeeded, and which failed."""
    results = {}
    for suite, revisions in LEGS:
        for revision in revisions:
            found = scenarios(suites / f"suite-{suite}", node, url, revision)
            succeeded = sum(result["succeeded"] for result in found.values())
            failed = sum(len(result["failed"]) for result in found.values())
            print(
                f"{place:10} suite {suite:15} revision {revision}  {len(found):3} scenarios, "
                f"{succeeded:4} checks succeeded, {failed} failed or warned",
                flush=True,
            )
            results.update({(suite, revision, name): result for name, result in found.items()})
    return results


def scenarios(suite, node, url, revision):
    with tempfile.TemporaryDirectory() as directory:
        command = [node, suite / "dist/index.js", "server", "--url", url, "--suite", "all"]
        command += ["--spec-version", revision, "-o", directory]
        done = subprocess.run(
            [str(word) for word in command],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SUITE_SECONDS,
        )
        results = {}
        for path in sorted(Path(directory).glob("server-*/checks.json")):
            name = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT[\dZ-]+", path.parent.name)[1]
            results[name] = judged(json.loads(path.read_text()))
        if not results:
            raise Failed(f"{suite.name} has no results: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        # A scenario that ends in an error has no results, and is only in the summary.
        for name in re.findall(r"^✗ ([\w/.-]+): 0 passed, [1-9]", done.stdout, re.MULTILINE):
            results.setdefault(name, {"succeeded": 0, "failed": ["it ended in an error"]})
        return results


def judged(checks):
    failed = [check for check in checks if check["status"] in ("FAILURE", "WARNING")]
    return {
        "succeeded": sum(check["status"] == "SUCCESS" for check in checks),
        "failed": [f"{check['id']}: {check.get('errorMessage', '')}" for check in failed],
    }


def compare(balancer, direct, behind):
    """What passes directly and does not pass behind the balancer."""
    problems = []
    for (suite, revision, name), expected in direct.items():
        place = f"{name} of revision {revision} (suite {suite}) behind {balancer}"
        got = behind.get((suite, revision, name))
        if got is None:
            problems.append(f"{place}: it has no result")
            continue
        known = {failure.split(":")[0] for failure in expected["failed"]}
        new = [failure for failure in got["failed"] if failure.split(":")[0] not in known]
        if new or got["succeeded"] < expected["succeeded"]:
            figures = f"{got['succeeded']} of {expected['succeeded']} checks succeeded"
            problems.append(f"{place}: {figures}; {'; '.join(new)}")
    return problems
