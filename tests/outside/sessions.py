"""200 sessions of the official Python SDK, half of them in a revision without sessions, while nodes
are drained, killed and stopped, and the configuration is reloaded."""

import json
import os
import signal
import subprocess
import time

from checks import python_sdk
from harness import BALANCERS, HERE, Cluster, Failed, wait_until

SESSIONS = 200
PHASE_SECONDS = 10
SDK = "2.3.0"
#: nginx's old workers close connections that clients keep alive. A request that is sent at that very
#: moment fails.
KEPT_ALIVE_RACES = {"haproxy": 0, "nginx": 4, "builtin": 0}


def run():
    python = python_sdk(SDK)
    problems = []
    for balancer in BALANCERS:
        with Cluster(HERE) as cluster:
            settings = ["limits.per_ip.connections=0", "limits.per_ip.connection_rate=0"]
            settings += ["limits.per_ip.message_rate=0", "limits.maxconn=4000"]
            cluster.ok("start", balancer, *(word for value in settings for word in ("--set", value)))
            url = f"http://127.0.0.1:{cluster.port(8080)}/mcp"
            problems += judge(balancer, cluster, Clients(python, url))
    return problems


class Clients:
    def __init__(self, python, url, count=SESSIONS):
        command = [python, HERE / "servers" / "clients.py", url, str(count)]
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def report(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Failed("the clients have ended")
        return json.loads(line)

    def end(self):
        self.process.kill()
        self.process.wait()


def judge(balancer, cluster, clients):
    problems = []
    try:
        begun = dict.fromkeys(["with", "without"], 0)
        wait_until("all sessions", lambda: have_begun(clients, begun))
        for phase, act in PHASES.items():
            clients.report()
            undo = act(cluster)
            time.sleep(PHASE_SECONDS)
            report = clients.report()
            if undo:
                undo()
                wait_until("all nodes", lambda: cluster.status()["state"] == "healthy")
            show(balancer, phase, report)
            problems += [f"{phase} behind {balancer}: {text}" for text in wrong(balancer, phase, report)]
    finally:
        clients.end()
    return problems


def have_begun(clients, begun, count=SESSIONS):
    for name, half in clients.report().items():
        begun[name] += half["new_sessions"]
    return min(begun.values()) >= count // 2


def show(balancer, phase, report):
    for name, half in report.items():
        errors = ", ".join(f"{count} x {text[:60]}" for text, count in half["errors"].items())
        print(
            f"{balancer:8} {phase:8} {name:7} sessions: {half['calls']:5} calls, "
            f"{half['new_sessions']:3} new, {sum(half['errors'].values()):3} errors {errors}",
            flush=True,
        )


def wrong(balancer, phase, report):
    """What no client should have noticed in this phase."""
    share = SESSIONS // 2 // 4
    stateless, stateful = report["without"], report["with"]
    lost = sum(stateful["errors"].values())
    if phase in ("nothing", "drain", "reload"):
        expected = "no such session" if phase == "drain" else None
        errors = {**stateless["errors"], **stateful["errors"]}
        others = {text: count for text, count in errors.items() if not expected or expected not in text}
        if sum(others.values()) > KEPT_ALIVE_RACES[balancer]:
            yield f"clients have noticed it: {others}"
        if expected and any(expected in text for text in stateless["errors"]):
            yield "a client without a session has lost one"
    # A node's sessions die with it; some more than its fair share can be its own.
    if phase in ("kill", "stop") and lost > 2 * share + 10:
        yield f"{lost} clients with sessions have lost one, of {share} on the node"
    if phase in ("kill", "stop") and sum(stateless["errors"].values()) > 2 * share + 10:
        yield f"{sum(stateless['errors'].values())} clients without sessions had an error"
    for name, half in report.items():
        if half["calls"] < SESSIONS // 2 * PHASE_SECONDS / 4:
            yield f"clients {name} sessions made only {half['calls']} calls"


def drain(cluster):
    cluster.ok("drain", "erlmcp1")
    return lambda: cluster.ok("ready", "erlmcp1")


def kill(cluster):
    os.kill(node_pid(cluster, "erlmcp2"), signal.SIGKILL)
    return lambda: None


def stop(cluster):
    pid = node_pid(cluster, "erlmcp3")
    os.kill(pid, signal.SIGSTOP)
    return lambda: os.kill(pid, signal.SIGCONT)


def reload(cluster):
    cluster.ok("reload", "--set", "timeouts.client=4m")


def node_pid(cluster, name):
    return next(node["pid"] for node in cluster.status()["nodes"] if node["name"] == name)


PHASES = {
    "nothing": lambda _: None,
    "drain": drain,
    "kill": kill,
    "stop": stop,
    "reload": reload,
}
