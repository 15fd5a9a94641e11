"""The unit of `export systemd` in a real systemd, with 2,000 connections that are held while the
supervisor is killed, stopped and reloaded. Prints the table of docs/benchmarks.md."""

import json
import subprocess
import sys
import time

from harness import BALANCERS, HERE, Failed, clusterctl, wait_until
from machine import SIGKILL, SIGSTOP, Machine, must_be_root

HELD = 2_000
PROGRAM = "/usr/local/bin/clusterctl"
PROFILE = "/etc/clusterctl.yaml"
NAME = "erlmcp"
UNITS = "/etc/systemd/system"
UNIT = f"clusterctl-{NAME}.service"
PORT = 8_000
RUN_DIR = f"/run/clusterctl/{NAME}"
MAX_EXPOSURE = 3.5
ACTIVE_SECONDS = 2
#: `WatchdogSec=`, and the time in which systemd looks and the next supervisor starts.
WATCHDOG_SECONDS = 10 + 5
#: What each balancer is replaced by.
OTHER = {"builtin": "haproxy", "haproxy": "nginx", "nginx": "builtin"}
SETTINGS = {
    "maxconn: 100000": "maxconn: 9500",
    "connections: 100 ": "connections: 0 ",
    "connection_rate: 100 ": "connection_rate: 0 ",
    "message_rate: 100 ": "message_rate: 0 ",
}
PACKAGES = {
    "/lib/systemd/systemd": "systemd",
    "unshare": "util-linux",
    "ip": "iproute2",
    "useradd": "passwd",
}


def run():
    must_be_root(PACKAGES)
    problems = []
    rows = []
    for balancer in BALANCERS:
        with Machine() as machine:
            checks = Checks(machine, balancer)
            checks.run()
            problems += [f"{balancer}: {problem}" for problem in checks.problems]
            rows += checks.rows
    print("\n| balancer | event | took | cut | refused | pids |\n| --- | --- | --- | --- | --- | --- |")
    print(*rows, sep="\n")
    return problems


class Checks:
    def __init__(self, machine, balancer):
        self.machine, self.balancer = machine, balancer
        self.problems, self.rows = [], []

    def run(self):
        self.install()
        self.judge()
        try:
            self.serve()
        except Failed as error:
            log = self.machine.ok("journalctl", "--unit", UNIT, "--no-pager", "--lines=20")
            raise Failed(f"{error}\n{log}") from error

    def serve(self):
        self.start()
        clients = Clients(self.machine, PORT, HELD)
        try:
            self.kill(clients)
            self.hang(clients)
            self.reload(clients)
            self.switch(clients)
            self.journal()
            self.stop()
        finally:
            clients.end()

    def install(self):
        machine = self.machine
        machine.copy(clusterctl(), PROGRAM)
        profile = machine.ok(PROGRAM, "profile", "show")
        for default, value in SETTINGS.items():
            if default not in profile:
                raise Failed(f"the profile has no `{default}`")
            profile = profile.replace(default, value)
        machine.path(PROFILE).write_text(profile)
        machine.ok("useradd", "--system", "--shell", "/usr/sbin/nologin", "clusterctl")
        output = ["--output", UNITS]
        machine.ok(PROGRAM, "export", "systemd", self.balancer, "--profile", PROFILE, *output)

    def judge(self):
        """What systemd finds about the unit."""
        verify = self.machine.inside("systemd-analyze", "verify", "--man=no", f"{UNITS}/{UNIT}")
        done = subprocess.run(verify, capture_output=True, text=True)
        if done.returncode != 0 or done.stdout or done.stderr:
            self.problems.append(f"systemd-analyze verify: {done.stdout}{done.stderr}")
        security = self.machine.ok("systemd-analyze", "security", "--no-pager", UNIT)
        exposure = float(security.split("Overall exposure level for")[1].split(":")[1].split()[0])
        print(f"{self.balancer}: systemd-analyze security: {exposure}", flush=True)
        self.expect(exposure <= MAX_EXPOSURE, f"the exposure is {exposure}")

    def start(self):
        began = time.monotonic()
        self.machine.ok("systemctl", "start", UNIT)
        took = time.monotonic() - began
        status = self.status()
        self.expect(status["state"] == "healthy", f"started as {status['state']}")
        text = self.show("StatusText")
        wanted = f"4 of 4 nodes up behind {self.balancer}, "
        self.expect(text.startswith(wanted), f"the status is `{text}`")
        self.row("systemctl start", took, None, "")

    def kill(self, clients):
        self.supervisor_ends(clients, "SIGKILL of the supervisor", SIGKILL, ACTIVE_SECONDS)

    def hang(self, clients):
        self.supervisor_ends(clients, "SIGSTOP of the supervisor", SIGSTOP, WATCHDOG_SECONDS)

    def supervisor_ends(self, clients, event, number, seconds):
        former, children = self.show("MainPID"), self.children()
        before = clients.report()
        began = time.monotonic()
        self.machine.signal(former, number)
        wait_until("the next supervisor", lambda: self.show("MainPID") not in ("0", former), 60)
        wait_until("the unit", lambda: self.show("ActiveState") == "active", 60)
        took = time.monotonic() - began
        self.expect(took <= seconds, f"{event}: active after {took:.1f} s")
        self.settled(clients, before, event, took, children)

    def reload(self, clients):
        before, children = clients.report(), self.children()
        profile = self.machine.path(PROFILE)
        profile.write_text(profile.read_text().replace("message_rate: 0 ", "message_rate: 90000 "))
        began = time.monotonic()
        self.machine.ok("systemctl", "reload", UNIT)
        took = time.monotonic() - began
        state = self.show("ActiveState")
        self.expect(state == "active", f"after the reload the unit is {state}")
        self.settled(clients, before, "systemctl reload", took, children, same=self.balancer == "builtin")

    def switch(self, clients):
        """The next supervisor keeps the balancer that runs, not the one that the unit names."""
        other = OTHER[self.balancer]
        before, children = clients.report(), self.children()
        began = time.monotonic()
        self.machine.ok(PROGRAM, "switch", other, "--run-dir", RUN_DIR)
        took = time.monotonic() - began
        self.settled(clients, before, f"`clusterctl switch {other}`", took, children, same=False)
        self.kill(clients)
        kind = self.status()["balancer"]["kind"]
        self.expect(kind == other, f"{kind} runs after a switch to {other} and a death of the supervisor")

    def settled(self, clients, before, event, took, children, same=True):
        """What the clients noticed."""
        time.sleep(3)
        after = clients.report()
        cut, refused = (after[key] - before[key] for key in ("cut", "refused"))
        answered = after["answered"] - before["answered"]
        self.expect(cut == 0 and refused == 0, f"{event}: {cut} cut, {refused} refused: {after['faults'][:5]}")
        self.expect(answered > 0 and after["held"] == HELD, f"{event}: {answered} answers, {after['held']} held")
        kept = self.children() == children
        self.expect(kept or not same, f"{event}: other processes: {children}, then {self.children()}")
        self.row(event, took, (cut, refused), "the same" if kept else "a new balancer")

    def journal(self):
        lines = self.machine.ok("journalctl", "--unit", UNIT, "--output", "json", "--no-pager")
        entries = [json.loads(line) for line in lines.splitlines()]
        found = [entry for entry in entries if entry.get("NODE") == "erlmcp2" and entry.get("STATE") == "up"]
        self.expect(found, "the journal has no entry with NODE=erlmcp2 and STATE=up")
        self.expect(
            all(entry["SYSLOG_IDENTIFIER"] == "clusterctl" and entry["PRIORITY"] == "6" for entry in found),
            f"the journal's entry is {found[:1]}",
        )

    def stop(self):
        pids = [self.show("MainPID"), *self.children()]
        began = time.monotonic()
        self.machine.ok("systemctl", "stop", UNIT)
        took = time.monotonic() - began
        state = self.show("ActiveState")
        self.expect(state == "inactive", f"after the stop the unit is {state}")
        left = [pid for pid in pids if self.machine.lives(pid)]
        user = subprocess.run(self.machine.inside("ps", "-u", "clusterctl", "-o", "pid=,args="), capture_output=True, text=True)
        self.expect(not left and not user.stdout.strip(), f"after the stop run {left} {user.stdout}")
        self.row("systemctl stop", took, None, "none is left")

    def status(self):
        return self.machine.json(PROGRAM, "status", "--json", "--run-dir", RUN_DIR)

    def children(self):
        status = self.status()
        return [*status["balancer"]["pids"], *(node["pid"] for node in status["nodes"])]

    def show(self, name):
        return self.machine.ok("systemctl", "show", "--value", f"--property={name}", UNIT).strip()

    def expect(self, holds, problem):
        if not holds:
            self.problems.append(problem)

    def row(self, event, took, counts, pids):
        cut, refused = counts or ("", "")
        self.rows.append(f"| {self.balancer} | {event} | {took:.1f} s | {cut} | {refused} | {pids} |")
        print(self.rows[-1], flush=True)


class Clients:
    """`held_clients.py` in the network of `place`, a machine or a container."""

    def __init__(self, place, port, count):
        command = place.connected(sys.executable, HERE / "held_clients.py", port, count)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise Failed("the clients have not connected")
        report = self.report()
        if report["held"] != count:
            raise Failed(f"{report['held']} clients are connected: {report['faults'][:5]}")

    def report(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.kill()
        self.process.wait()
