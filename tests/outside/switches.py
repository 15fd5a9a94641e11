"""20 switches among the balancers, an upgrade and 5 reloads under 1,000 new connections per second
and 2,000 held clients; then stops that are announced, behind clients that ask /ready each second.
Prints the tables of docs/benchmarks.md.

It needs release builds of clusterctl and of the clients:
`cargo build --release --bins --example checking-clients`.
"""

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from harness import BALANCERS, HERE, Cluster, Failed, clusterctl

RATE = int(os.environ.get("RATE", 1_000))
HELD = int(os.environ.get("HELD", 2_000))
SWITCHES = int(os.environ.get("SWITCHES", 20))
RELOADS = 5
#: Time after each change in which clients may notice it.
SETTLE_SECONDS = 4
ANNOUNCE_SECONDS = 3
#: Kinds of faults that no client may have. Clients that stick by their address may move.
FAULTS = ["refused", "cut", "timed out", "wrong answer", "moved session", "moved cookie"]
OWN = "the clients' own error"
SETTINGS = [
    "limits.maxconn=9500",
    "limits.per_ip.connections=0",
    "limits.per_ip.connection_rate=0",
    "limits.per_ip.message_rate=0",
]


def run():
    return [*switched(), *announced()]


class Clients:
    """The checking clients of tests/it, as a program of their own."""

    def __init__(self, cluster, rate, held, ready=None):
        program = clusterctl().parent / "examples" / "checking-clients"
        if not program.exists():
            raise Failed(f"`{program}` does not exist: `cargo build --example checking-clients`")
        command = [program, cluster.offset, rate, held, 1_800, *([ready] if ready else [])]
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self.process.stdout.readline().strip() != "ready":
            raise Failed("the clients have not connected")

    def report(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()

    def end(self):
        """The last report."""
        self.process.stdin.close()
        report = self.read()
        self.process.wait(60)
        return report

    def kill(self):
        self.process.kill()
        self.process.wait()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed("the clients have ended")
        return json.loads(line)


def switched():
    """The table of a cluster that is switched, reloaded and upgraded while it serves."""
    with Cluster(HERE) as cluster, tempfile.TemporaryDirectory() as directory:
        cluster.ok("start", "builtin", *settings())
        clients = Clients(cluster, RATE, HELD)
        try:
            rows = [Row("start", 0, clients.report())]
            time.sleep(SETTLE_SECONDS)
            rows.append(Row("nothing", 0, clients.report()))
            for title, act in changes(cluster, Path(directory)):
                began = time.monotonic()
                act()
                seconds = time.monotonic() - began
                time.sleep(SETTLE_SECONDS)
                rows.append(Row(title, seconds, clients.report()))
                print(rows[-1].line(rows[-2]), flush=True)
            last = clients.end()
        finally:
            clients.kill()
        print(f"\n{table(rows)}\n\n{summary(last)}\n", flush=True)
        found = list(problems("switches", last))
        if found:
            print(*warnings(cluster), sep="\n")
        return found


def warnings(cluster):
    """What the supervisor has logged besides usual events: the machine may have been too busy."""
    with open(f"{cluster.run_dir}/logs/supervisor.log") as log:
        return [line.rstrip() for line in log if " WARN " in line or " ERROR " in line][:40]


def changes(cluster, directory):
    """What is done to the cluster, in turn, with titles."""
    kinds = itertools.cycle(BALANCERS)
    current = next(kinds)
    for number in range(SWITCHES):
        if number * RELOADS % SWITCHES < RELOADS:
            yield f"reload of {current}", lambda at=number: reload(cluster, at)
        if number == SWITCHES // 2:
            yield "upgrade", lambda: upgrade(cluster, directory)
        former, current = current, next(kinds)
        yield f"{former} → {current}", lambda to=current: cluster.ok("switch", to, *settings())


def reload(cluster, number):
    cluster.ok("reload", *settings(), "--set", f"timeouts.client={240 + number}s")


def upgrade(cluster, directory):
    """`start` of the same program with other content."""
    other = directory / "clusterctl"
    shutil.copy(clusterctl(), other)
    with open(other, "a") as program:
        program.write("other\n")
    before = os.environ.get("CLUSTERCTL")
    os.environ["CLUSTERCTL"] = str(other)
    try:
        cluster.ok("start", *settings())
    finally:
        if before is None:
            del os.environ["CLUSTERCTL"]
        else:
            os.environ["CLUSTERCTL"] = before


def announced():
    """Stops that are announced: the clients ask /ready each second, and connect while it is 200."""
    found = []
    print("| `stop --announce 3s` of | new connections | refused | other faults |\n| --- | --- | --- | --- |")
    for balancer in BALANCERS:
        with Cluster(HERE) as cluster:
            cluster.ok("start", balancer, *settings())
            clients = Clients(cluster, RATE, 0, f"127.0.0.1:{cluster.port(8888)}")
            try:
                time.sleep(SETTLE_SECONDS)
                cluster.ok("stop", "--announce", f"{ANNOUNCE_SECONDS}s")
                report = clients.end()
            finally:
                clients.kill()
        others = sum(report["counts"][kind] for kind in [*FAULTS, OWN]) - report["counts"]["refused"]
        print(f"| {balancer} | {report['new']:,} | {report['counts']['refused']} | {others} |", flush=True)
        found += problems(f"an announced stop of {balancer}", report)
    return found


def settings():
    return [word for value in SETTINGS for word in ("--set", value)]


class Row:
    def __init__(self, title, seconds, report):
        self.title, self.seconds, self.report = title, seconds, report

    def line(self, before):
        def grown(*path):
            return value(self.report, path) - value(before.report, path)

        faults = " | ".join(str(grown("counts", kind)) for kind in FAULTS)
        return (
            f"| {self.title} | {self.seconds:.1f} s | {grown('answered'):,} | {grown('exchanges'):,} "
            f"| {faults} | {grown('closed_idle')} | {grown('raced')} | {grown('counts', 'moved address')} |"
        )


def value(report, path):
    for key in path:
        report = report[key]
    return report


def table(rows):
    titles = ["change", "took", "new clients", "exchanges of held clients", *FAULTS]
    titles += ["idle connections closed in order", "requests that met such a close", "moved addresses"]
    head = f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}"
    lines = [row.line(before) for before, row in itertools.pairwise(rows)]
    return "\n".join([head, *lines])


def summary(report):
    latency = report["latency_ms"]
    counts = ", ".join(f"{count} {kind}" for kind, count in report["counts"].items())
    return (
        f"{report['new']:,} new connections in {report['seconds']:.0f} s, {report['answered']:,} answered, "
        f"{report['not_begun']} not begun; {report['exchanges']:,} exchanges of held clients; {counts}; "
        f"{report['closed_idle']} idle connections closed in order, {report['raced']} requests met such a close; "
        f"first answer p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms, "
        f"p99.9 {latency['p99_9']:.1f} ms, at most {latency['max']:.0f} ms"
    )


def problems(what, report):
    for kind in [*FAULTS, OWN]:
        if report["counts"][kind]:
            of_kind = [fault for fault in report["faults"] if f": {kind}: " in fault]
            yield f"{what}: {report['counts'][kind]} {kind}: {'; '.join(of_kind[:10])}"
    if report["answered"] < report["new"]:
        yield f"{what}: {report['new'] - report['answered']} new connections were not answered"
