"""The images of `export container`, built and run by podman: the program alone, and one with HAProxy
and nginx. Prints the table of docs/benchmarks.md."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import clusterctl, wait_until
from machine import must_be_root
from podman import Container, Podman
from systemd import Clients

HELD = 500
USER = "10001"
PACKAGES = {"podman": "podman", "runc": "runc", "debootstrap": "debootstrap", "nsenter": "util-linux"}
SETTINGS = ["limits.maxconn=2000", "limits.per_ip={connections: 0, connection_rate: 0, message_rate: 0}"]
#: The images: the balancer, and the packages besides.
IMAGES = {"builtin": [], "haproxy": ["nginx", "libnginx-mod-stream"]}
ORPHANS = "for _ in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.3 &) done"
ANNOUNCE_SECONDS = 5
#: The announcement, the grace and the time over which connections are closed, with a margin.
STOP_SECONDS = 5 + 5 + 5 + 10


def run():
    must_be_root(PACKAGES)
    podman = Podman()
    problems, rows = [], []
    for balancer, packages in IMAGES.items():
        checks = Checks(podman, balancer)
        checks.run(packages)
        problems += [f"{balancer}: {problem}" for problem in checks.problems]
        rows.append(checks.row())
    print("\n| image | size | healthy after | stopped after, with 500 clients |\n| --- | --- | --- | --- |")
    print(*rows, sep="\n", flush=True)
    return problems


class Checks:
    def __init__(self, podman, balancer):
        self.podman, self.balancer = podman, balancer
        self.image = f"localhost/outside-{balancer}"
        self.problems = []

    def run(self, packages):
        self.build(packages)
        began = time.monotonic()
        with Container(self.podman, self.image, *settings()) as container:
            container.wait_until_healthy()
            self.healthy_seconds = time.monotonic() - began
            self.is_confined(container)
            clients = Clients(container, 8000, HELD)
            try:
                if packages:
                    self.switch(container, clients)
                    container.ok("sh", "-c", ORPHANS)
                self.node_dies(container, clients)
                self.stop(container)
            finally:
                clients.end()
            self.begins_again(container)
        self.read_only()

    def build(self, packages):
        with tempfile.TemporaryDirectory() as directory:
            line = [clusterctl(), "export", "container", self.balancer, "--output", directory]
            line += [word for package in packages for word in ("--with", package)]
            subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
            self.size = self.podman.build(self.image, directory)

    def is_confined(self, container):
        status = Path(f"/proc/{container.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        self.expect(fields["Uid"].split()[0] == USER, f"PID 1 runs as {fields['Uid']}")
        self.expect(int(fields["CapEff"], 16) == 0, f"PID 1 has the capabilities {fields['CapEff']}")
        has_shell = container.code("sh", "-c", "true") == 0
        self.expect(has_shell == bool(IMAGES[self.balancer]), f"a shell: {has_shell}")

    def switch(self, container, clients):
        before = clients.report()
        container.ok("/clusterctl", "switch", "nginx")
        time.sleep(2)
        after = clients.report()
        for kind in ("cut", "refused"):
            count = after[kind] - before[kind]
            self.expect(count == 0, f"a switch: {count} {kind}: {after['faults'][:5]}")

    def node_dies(self, container, clients):
        """It is restarted, the container stays healthy, and nothing that has ended is left. The
        clients of the other nodes stay."""
        former = container.status()["nodes"][0]["pid"]
        # A pid of the container, which it alone can use.
        enter = ["nsenter", "--target", str(container.pid), "--pid", "kill", "-KILL", str(former)]
        subprocess.run(enter, check=True)
        self.expect(container.is_healthy(), "unhealthy because one node of four died")
        wait_until("the node's restart", lambda: self.is_restarted(container, former), 60)
        wait_until("no zombies", lambda: all(state != "Z" for state, _ in container.processes()), 20)
        held = clients.report()["held"]
        self.expect(held > HELD / 2, f"{held} of {HELD} clients are left after the death of one node of four")

    def is_restarted(self, container, former):
        node = container.status()["nodes"][0]
        return node["state"] == "up" and node["pid"] != former

    def stop(self, container):
        ask = container.connected(sys.executable, "-c", READY)
        prober = subprocess.Popen(ask, stdout=subprocess.PIPE, text=True)
        wait_until("the prober", lambda: prober.stdout.readline().strip() == "200")
        began = time.monotonic()
        self.podman.ok("stop", f"--time={STOP_SECONDS + 20}", container.id)
        self.stop_seconds = time.monotonic() - began
        state = container.inspect()["State"]
        self.expect(state["ExitCode"] == 0, f"a stop ended with {state['ExitCode']}: {container.logs()[-1000:]}")
        self.expect(
            ANNOUNCE_SECONDS <= self.stop_seconds <= STOP_SECONDS, f"a stop took {self.stop_seconds:.1f} s"
        )
        answers = prober.communicate(timeout=60)[0].split()
        self.expect("503" in answers, f"/ready answered {answers} during the stop")

    def begins_again(self, container):
        """A container whose PID 1 was killed still has its files when it is started again."""
        self.podman.ok("start", container.id)
        container.wait_until_healthy()
        os.kill(container.pid, signal.SIGKILL)
        wait_until("the end", lambda: not container.inspect()["State"]["Running"])
        self.podman.ok("start", container.id)
        container.wait_until_healthy()
        state = container.status()["state"]
        self.expect(state == "healthy", f"started again as {state}")

    def read_only(self):
        with Container(self.podman, self.image, *settings(), options=["--read-only"]) as container:
            container.wait_until_healthy()

    def row(self):
        return (
            f"| {self.balancer} | {self.size / 1e6:.0f} MB | {self.healthy_seconds:.1f} s "
            f"| {self.stop_seconds:.1f} s |"
        )

    def expect(self, holds, problem):
        if not holds:
            self.problems.append(problem)


#: Prints the code of /ready whenever it changes, until nothing answers.
READY = """
import time, urllib.error, urllib.request
last = None
while True:
    try:
        code = urllib.request.urlopen("http://127.0.0.1:8888/ready", timeout=5).status
    except urllib.error.HTTPError as error:
        code = error.code
    except OSError:
        break
    if code != last:
        print(code, flush=True)
    last = code
    time.sleep(0.1)
"""


def settings():
    return [word for value in SETTINGS for word in ("--set", value)]
