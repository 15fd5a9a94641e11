"""Nodes come, go and are replaced under 1,000 new connections per second and 5,000 held clients, over
TCP and over HTTP with and without sessions, behind each balancer: `rebalance` after one of four nodes
was killed, `scale` 4 → 8 → 3, a rolling restart, and four rollouts of a version that fails, each in
another way. Prints the tables of docs/benchmarks.md.

It needs release builds of clusterctl and of the clients:
`cargo build --release --bins --example checking-clients`.

RATE, HELD: other numbers of clients. STEPS: only the steps whose titles have one of these parts, which commas separate.
"""

import json
import os
import resource
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

from harness import BALANCERS, ROOT, Cluster, clusterctl, wait_until
from switches import OWN, SETTLE_SECONDS, Clients, Row, settings, summary, table

RATE = int(os.environ.get("RATE", 1_000))
HELD = int(os.environ.get("HELD", 5_000))
STEPS = os.environ.get("STEPS", "").split(",")
SERVER = ROOT / "tests/it/members/server.py"
NODES = 4
#: Connections that a node still has after this time are closed.
DEADLINE = "10s"
ROLLOUT_SECONDS = 300
REBALANCE_SECONDS = 20
#: How versions of a server fail.
BEHAVIOURS = {
    "exits": "ends at once",
    "hangs": "accepts, and does not answer",
    "fails": "answers 500",
    "slow": "is 10 times slower",
}
#: Kinds of faults that no client may have, whatever happens to nodes. Those of a node that is replaced
#: lose the sessions that it had, and are cut at the deadline.
NEVER = ["refused", "timed out", "wrong answer"]
PROFILE = """
cluster: members
nodes:
  runtime: command
  count: {count}
  command: [{python}, {server}, {behaviour}, "{{name}}", "{{tcp_port}}", "{{http_port}}"]
  environment: {{BIN: {binary}, SLOW_SECONDS: "0.05"}}
rollout: {{canary: 1, hold: 10s, max_errors: 1%, max_p99: 40ms}}
"""


def run():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found = []
    for balancer in BALANCERS:
        found += Members(balancer).judge()
    return found


class Members:
    """One balancer, and what happens to the nodes behind it."""

    def __init__(self, balancer):
        self.balancer = balancer
        self.found = []
        self.rebalanced = None

    def judge(self):
        with tempfile.TemporaryDirectory() as directory:
            self.profile = Path(directory) / "members.yaml"
            self.write("good")
            with Cluster(directory) as cluster:
                self.cluster = cluster
                self.ok("start", self.balancer)
                clients = Clients(cluster, RATE, HELD)
                try:
                    last = self.act(clients)
                finally:
                    clients.kill()
        if self.rebalanced:
            print(f"{self.rebalanced}\n")
        print(f"{self.balancer}: {summary(last)}\n", flush=True)
        return self.found

    def act(self, clients):
        """Carries out the steps; returns the last report."""
        rows = [Row("start", 0, clients.report())]
        time.sleep(SETTLE_SECONDS)
        rows.append(Row("nothing", 0, clients.report()))
        for title, act in self.steps(clients):
            if not any(part in title for part in STEPS):
                continue
            began = time.monotonic()
            try:
                act()
            except Exception as error:
                self.problem(title, error)
            seconds = time.monotonic() - began
            time.sleep(SETTLE_SECONDS)
            rows.append(Row(title, seconds, clients.report()))
            print(rows[-1].line(rows[-2]), flush=True)
            self.inspect(title, rows[-2].report, rows[-1].report)
        last = clients.end()
        print(f"\n{table(rows)}\n")
        return last

    def steps(self, clients):
        yield "one node killed", self.kill
        yield "`rebalance --over 20s`", lambda: self.rebalance(clients)
        yield "`scale 8`", lambda: self.scale(8)
        yield "`scale 3`", lambda: self.scale(3)
        yield "`scale 4`", lambda: self.scale(NODES)
        yield "`restart --rolling`", self.restart
        for behaviour, what in BEHAVIOURS.items():
            yield f"a version that {what}", lambda behaviour=behaviour: self.deploy(behaviour)

    def scale(self, count):
        self.ok("scale", str(count), "--deadline", DEADLINE, "--close")
        self.wait_for(count)

    def restart(self):
        before = {node["name"]: node["pid"] for node in self.nodes()}
        self.ok("restart", "--rolling", "--close", "--deadline", DEADLINE)
        self.wait_for(NODES)
        kept = [node["name"] for node in self.nodes() if node["pid"] == before[node["name"]]]
        if kept:
            self.problem("restart", f"not started again: {', '.join(kept)}")

    def deploy(self, behaviour):
        """The failing version has to leave the old one in its place, by itself."""
        self.write(behaviour)
        code, output, errors = self.command("reload", "--yes", "--deadline", DEADLINE)
        error = [line for line in errors.splitlines() if line.startswith("error")]
        print(f"  {behaviour}: {error}", flush=True)
        if code == 0:
            self.problem(behaviour, f"`reload` has ended with 0: {output}")
        self.write("good")
        self.wait_for(NODES)
        for node in self.nodes():
            command = Path(f"/proc/{node['pid']}/cmdline").read_bytes()
            if b"server.py" in command:
                self.problem(behaviour, f"{node['name']} still runs the new version")

    def kill(self):
        node = self.nodes()[0]
        os.kill(node["pid"], signal.SIGKILL)
        wait_until("another process of the node", lambda: self.nodes()[0]["pid"] != node["pid"], 60)
        self.wait_for(NODES)

    def rebalance(self, clients):
        """Counts what the clients notice of it: the end of a TCP connection at once."""
        before, began = self.variance(), clients.report()
        code, output, errors = self.command("rebalance", "--json", "--over", f"{REBALANCE_SECONDS}s")
        time.sleep(2)
        after, report = self.usual_variance(), clients.report()
        result = json.loads(output)
        if result["plan"]["impossible"] and not result["plan"]["begun"]:
            # By the addresses of clients alone, nginx distributes them a little unevenly.
            self.rebalanced = f"{self.balancer}: {'; '.join(result['plan']['impossible'])}"
            return
        ended = result["ended"]
        first = int(began["seconds"])
        closes = {int(at): count for at, count in report["closes"].items() if int(at) >= first}
        back = times_between(began["back_micros"], report["back_micros"])
        self.rebalanced = (
            f"{self.balancer}: variance {result['plan']['variance_percent']}% → {ended['variance_percent']}%, "
            f"with requests over HTTP {before:.1f}% → {after:.1f}%; planned {ended['planned']}, at most "
            f"{ended['per_second']} in a second; closed {ended['closed']}, {ended['most_in_a_second']}; seen by "
            f"clients {sum(closes.values())}, {max(closes.values(), default=0)}; back after "
            f"{quantile(back, 0.5):.1f} ms, p99 {quantile(back, 0.99):.1f} ms, at most {quantile(back, 1):.0f} ms"
        )
        if code != 0 or ended["variance_percent"] >= 5:
            self.problem("rebalance", f"{ended['result']}: {ended['reason']} {errors}")
        if ended["most_in_a_second"] > ended["per_second"]:
            self.problem("rebalance", f"{ended['most_in_a_second']} closes in a second")
        if quantile(back, 0.99) >= 1_000:
            self.problem("rebalance", f"clients are back after {quantile(back, 0.99):.0f} ms (p99)")

    def inspect(self, title, before, after):
        """Notes faults that no client may have in this step."""
        for kind in [*NEVER, OWN]:
            grown = after["counts"][kind] - before["counts"][kind]
            may_happen = (kind == "wrong answer" and title.endswith(BEHAVIOURS["fails"])) or "killed" in title
            if grown and not may_happen:
                of_kind = [fault for fault in after["faults"] if f": {kind}: " in fault]
                self.problem(title, f"{grown} {kind}: {'; '.join(of_kind[-5:])}")

    def problem(self, title, error):
        self.found.append(f"{self.balancer}, {title}: {error}")
        print(f"  PROBLEM {title}: {error}", flush=True)

    def wait_for(self, count):
        """Waits until so many nodes serve, and nothing is in progress."""

        def is_done():
            status = self.cluster.status()
            up = [node for node in status["nodes"] if node["state"] == "up"]
            return status.get("rollout") is None and len(up) == len(status["nodes"]) == count

        wait_until(f"{count} nodes", is_done, ROLLOUT_SECONDS)

    def nodes(self):
        return self.cluster.status()["nodes"]

    def variance(self):
        return self.cluster.status()["distribution"]["variance_percent"]

    def usual_variance(self):
        """The median of some moments: new clients come and go all the time."""
        moments = []
        for _ in range(9):
            moments.append(self.variance())
            time.sleep(0.3)
        return statistics.median(moments)

    def write(self, behaviour):
        values = {"python": sys.executable, "server": SERVER, "binary": clusterctl()}
        self.profile.write_text(PROFILE.format(behaviour=behaviour, count=NODES, **values))

    def command(self, *arguments):
        return self.cluster.command("--profile", str(self.profile), *settings(), *arguments)

    def ok(self, *arguments):
        return self.cluster.ok("--profile", str(self.profile), *settings(), *arguments)


def times_between(before, after):
    """The times, in milliseconds, that a report has and an earlier one has not, in order."""
    before = dict(map(tuple, before))
    new = [(micros, count - before.get(micros, 0)) for micros, count in after]
    return sorted(micros / 1_000 for micros, count in new for _ in range(count))


def quantile(times, part):
    return times[min(len(times) - 1, int(part * len(times)))] if times else 0.0
