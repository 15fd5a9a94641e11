"""Servers on the official Python and TypeScript SDKs are deployed again and again, each time with the
next version in their environment, under 100 sessions of the Python SDK, half of them in a revision
without sessions. In between a version does not start, and a node, the balancer and the supervisor are
killed in the middle of a rollout.

SEED names the moments of the kills [1].
"""

import os
import random
import time
from pathlib import Path

from checks import python_sdk
from harness import BALANCERS, Cluster, wait_until
from kills import Run, servers
from sessions import SDK, Clients, have_begun

SEED = int(os.environ.get("SEED", 1))
SESSIONS = 100
NODES = 4
SETTLE_SECONDS = 5
ROLLOUT_SECONDS = 180
DEADLINE = "3s"
#: What is killed during the deploy of a version, if anything.
DEPLOYS = [None, None, "kill_node", "kill_balancer", "kill_supervisor", None]
#: A request that is sent while a former process closes its idle connection fails.
KEPT_ALIVE_RACES = 4
ROLLOUT = "rollout={canary: 1, batch: 1, hold: 2s, max_errors: 5%, max_p99: null}"


def run():
    found = []
    for title, command, directory in servers():
        for balancer in BALANCERS:
            print(f"{title} behind {balancer}, seed {SEED}", flush=True)
            with Cluster(directory) as cluster:
                deploys = Deploys(cluster, command, directory)
                found += [f"{title} behind {balancer}: {text}" for text in deploys.judge(balancer)]
    return found


class Deploys:
    def __init__(self, cluster, command, directory):
        self.cluster, self.command, self.directory = cluster, command, directory
        self.run = Run(cluster, [])
        self.dice = random.Random(SEED)

    def judge(self, balancer):
        self.cluster.ok("start", balancer, *self.settings(1))
        self.run.kind = balancer
        clients = Clients(python_sdk(SDK), f"http://127.0.0.1:{self.cluster.port(8080)}/mcp", SESSIONS)
        try:
            begun = dict.fromkeys(["with", "without"], 0)
            wait_until("all sessions", lambda: have_begun(clients, begun, SESSIONS))
            clients.report()
            for version, event in enumerate(DEPLOYS, 2):
                yield from self.deploy(version, event, clients)
            yield from self.fail(version, clients)
        finally:
            clients.end()

    def deploy(self, version, event, clients):
        """Deploys a version. What is killed meanwhile may stop the rollout; then `reload` goes on."""
        reload = ["reload", "--yes", "--deadline", DEADLINE, *self.settings(version)]
        going = self.cluster.begin(*reload)
        text = f"version {version}"
        if event:
            time.sleep(self.dice.uniform(0.5, 8))
            text += f", {self.run.act(event)}"
        output = going.communicate(timeout=ROLLOUT_SECONDS)[0]
        if going.returncode != 0:
            if not event:
                yield f"{text}: `reload` has ended with {going.returncode}: {output[-500:]}"
            self.wait(stopped)
            self.cluster.ok(*reload)
            text += ", reload again"
        yield from self.inspect(text, version, clients, SESSIONS if event else KEPT_ALIVE_RACES)

    def fail(self, version, clients):
        """A version that does not start leaves the former one in its place."""
        code, output, errors = self.cluster.command(
            "reload", "--yes", "--deadline", DEADLINE, *self.settings(version + 1, ["false"])
        )
        if code == 0:
            yield f"a version that does not start: `reload` has ended with 0: {output}{errors}"
        yield from self.inspect("a version that does not start", version, clients, KEPT_ALIVE_RACES)

    def inspect(self, text, version, clients, allowed):
        """Waits for the end; what clients should not have noticed. Sessions end with their server."""
        self.wait(lambda status: status["rollout"] is None and self.versions(status) == {str(version)})
        time.sleep(SETTLE_SECONDS)
        report = clients.report()
        errors, lost = (sum(report[half]["errors"].values()) for half in ("without", "with"))
        calls = sum(half["calls"] for half in report.values())
        print(
            f"  {text:60} {calls:5} calls, {lost:3} sessions lost, {errors:3} errors without a session "
            f"{report['without']['errors'] or ''}",
            flush=True,
        )
        if errors > allowed:
            yield f"{text}: clients without a session have noticed it: {report['without']['errors']}"
        if lost > 2 * NODES * SESSIONS // 2:
            yield f"{text}: {lost} sessions were lost"
        if calls < SESSIONS:
            yield f"{text}: only {calls} calls"

    def wait(self, is_done):
        def attempt():
            status = self.cluster.status()
            return status["state"] == "healthy" and is_done(status)

        wait_until("the end of the rollout", attempt, ROLLOUT_SECONDS)

    def versions(self, status):
        return {version_of(node["pid"]) for node in status["nodes"]}

    def settings(self, version, command=None):
        words = ", ".join(f"'{word}'" for word in command or self.command)
        values = [
            "nodes.runtime=command",
            f"nodes.count={NODES}",
            f"nodes.command=[{words}]",
            f"nodes.environment={{PORT: '{{http_port}}', VERSION: '{version}'}}",
            f"nodes.directory={self.directory}",
            "nodes.tcp_port=null",
            "limits.maxconn=4000",
            "limits.per_ip.connections=0",
            "limits.per_ip.connection_rate=0",
            "limits.per_ip.message_rate=0",
            ROLLOUT,
        ]
        return [word for value in values for word in ("--set", value)]


def stopped(status):
    """Whether nothing is in progress."""
    rollout = status["rollout"]
    return rollout is None or rollout.get("stopped") is not None


def version_of(pid):
    """The version in the environment of a server."""
    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    found = [word.split(b"=", 1)[1] for word in variables if word.startswith(b"VERSION=")]
    return found[0].decode() if found else ""
