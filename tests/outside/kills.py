"""Switches, while supervisor, balancer and nodes are killed at random moments in between: 100
sessions of the official Python SDK, half of them in a revision without sessions, call servers on the
official Python and TypeScript SDKs.

SEED names the order of events [1], EVENTS how many there are [24].
"""

import os
import random
import shutil
import signal
import socket
import time

from checks import PLACE, python_sdk
from harness import BALANCERS, HERE, Cluster, Failed, installed, npm_ci, wait_until
from sessions import SDK, Clients, have_begun

SEED = int(os.environ.get("SEED", 1))
EVENTS = int(os.environ.get("EVENTS", 24))
SESSIONS = 100
SETTLE_SECONDS = 5
#: A request that is sent while an old process closes its idle connection fails.
KEPT_ALIVE_RACES = 4


def run():
    problems = []
    for title, command, directory in servers():
        problems += [f"{title}: {text}" for text in judge(title, command, directory)]
    return problems


def servers():
    python = python_sdk(SDK)
    yield f"Python SDK {SDK}", [str(python), str(PLACE / "server_2.py")], PLACE
    packages = installed("conformance-server", HERE / "conformance" / "server", npm_ci)
    script = shutil.copy(PLACE / "whoami.mjs", packages / "whoami.mjs")
    node = installed("conformance", HERE / "conformance", npm_ci) / "node_modules/node/bin/node"
    yield "TypeScript SDK", [str(node), str(script)], packages


class Run:
    """A cluster of these servers, and what is done to it."""

    def __init__(self, cluster, settings):
        self.cluster, self.settings = cluster, settings
        self.dice = random.Random(SEED)
        self.kind = BALANCERS[0]

    def act(self, event):
        return getattr(self, event)()

    def switch(self):
        self.kind = self.dice.choice([kind for kind in BALANCERS if kind != self.kind])
        self.cluster.ok("switch", self.kind, *self.settings)
        return f"switch to {self.kind}"

    def reload(self):
        self.cluster.ok("reload", *self.settings, "--set", f"timeouts.client={self.dice.randint(200, 300)}s")
        return f"reload of {self.kind}"

    def kill_supervisor(self):
        self.end_supervisor()
        self.cluster.adopt()
        return "supervisor killed"

    def kill_supervisor_in_a_switch(self):
        to = self.dice.choice([kind for kind in BALANCERS if kind != self.kind])
        moment = self.dice.uniform(0.02, 0.8)
        switch = self.cluster.begin("switch", to, *self.settings)
        time.sleep(moment)
        self.end_supervisor()
        switch.communicate(timeout=100)
        self.cluster.adopt()
        former, self.kind = self.kind, self.cluster.status()["balancer"]["kind"]
        return f"{former} → {to}, supervisor killed after {moment:.2f} s: {self.kind}"

    def kill_balancer(self):
        self.kill(self.dice.choice(self.cluster.status()["balancer"]["pids"]))
        return f"{self.kind} killed"

    def kill_node(self):
        node = self.dice.choice(self.cluster.status()["nodes"])
        self.kill(node["pid"])
        return f"{node['name']} killed"

    def end_supervisor(self):
        """Its threads end one by one, and the last one closes its socket."""
        self.kill(self.supervisor())
        wait_until("the supervisor's end", lambda: not self.answers())

    def answers(self):
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(f"{self.cluster.run_dir}/control.sock") == 0

    def supervisor(self):
        """The process with the control socket, by its command line and run directory."""
        for entry in os.listdir("/proc"):
            if entry.isdigit() and self.is_supervisor(entry):
                return int(entry)
        raise Failed("no supervisor runs")

    def is_supervisor(self, pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as line, open(f"/proc/{pid}/environ", "rb") as environment:
                words = line.read().split(b"\0")
                return b"supervise" in words and self.cluster.run_dir.encode() in environment.read() + b"".join(words)
        except OSError:
            return False

    @staticmethod
    def kill(pid):
        os.kill(pid, signal.SIGKILL)


#: Events, and whether clients may notice them.
KINDS = {
    "switch": False,
    "reload": False,
    "kill_supervisor": False,
    "kill_supervisor_in_a_switch": False,
    "kill_balancer": True,
    "kill_node": True,
}


def judge(title, command, directory):
    words = ", ".join(f"'{word}'" for word in command)
    values = [
        "nodes.runtime=command",
        f"nodes.command=[{words}]",
        "nodes.environment={PORT: '{http_port}'}",
        f"nodes.directory={directory}",
        "nodes.tcp_port=null",
        "limits.maxconn=4000",
        "limits.per_ip.connections=0",
        "limits.per_ip.connection_rate=0",
        "limits.per_ip.message_rate=0",
    ]
    settings = [word for value in values for word in ("--set", value)]
    with Cluster(directory) as cluster:
        cluster.ok("start", BALANCERS[0], *settings)
        run = Run(cluster, settings)
        clients = Clients(python_sdk(SDK), f"http://127.0.0.1:{cluster.port(8080)}/mcp", SESSIONS)
        try:
            begun = dict.fromkeys(["with", "without"], 0)
            wait_until("all sessions", lambda: have_begun(clients, begun, SESSIONS))
            clients.report()
            print(f"{title}, seed {SEED}", flush=True)
            events = list(KINDS) + run.dice.choices(list(KINDS), k=max(0, EVENTS - len(KINDS)))
            run.dice.shuffle(events)
            for event in events:
                yield from happened(run, clients, event)
        finally:
            clients.end()


def happened(run, clients, event):
    """Lets an event happen; what clients should not have noticed of it."""
    text = run.act(event)
    wait_until("a healthy cluster", lambda: run.cluster.status()["state"] == "healthy")
    time.sleep(SETTLE_SECONDS)
    report = clients.report()
    errors = {}
    for half in report.values():
        for error, count in half["errors"].items():
            errors[error] = errors.get(error, 0) + count
    calls = sum(half["calls"] for half in report.values())
    print(f"  {text:70} {calls:5} calls, {sum(errors.values()):3} errors {errors or ''}", flush=True)
    if calls < SESSIONS:
        yield f"{text}: only {calls} calls"
    allowed = SESSIONS if KINDS[event] else KEPT_ALIVE_RACES
    if sum(errors.values()) > allowed:
        yield f"{text}: clients have noticed it: {errors}"
