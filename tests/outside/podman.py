"""podman with its own storage below target/outside, as far as this machine can run containers."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from harness import CACHE, Failed, run, wait_until

IMAGE = "docker.io/library/debian:trixie-slim"
SUITE, MIRROR = "trixie", "http://deb.debian.org/debian"
#: runc without limits of resources, for machines on which even root must not raise them.
WITHOUT_LIMITS = """#!/usr/bin/env python3
import json, os, sys

def edit(path, key):
    with open(path) as file:
        config = json.load(file)
    (config[key] if key else config).pop("rlimits", None)
    with open(path, "w") as file:
        json.dump(config, file)

words = sys.argv[1:]
if "create" in words:
    edit(words[words.index("--bundle") + 1] + "/config.json", "process")
elif "exec" in words:
    edit(words[words.index("--process") + 1], None)
os.execvp("runc", ["runc", *words])
"""


class Podman:
    def __init__(self):
        storage = CACHE / "containers"
        storage.mkdir(parents=True, exist_ok=True)
        # The storage remembers this path.
        self.options = ["podman", "--root", str(storage), "--runroot", "/run/outside-podman"]
        self.options += ["--log-level=fatal"]
        self.options += ["--cgroup-manager=cgroupfs", "--events-backend=none"]
        self.base = os.environ.get("BASE") or self.find_base()
        self.run_options = []
        #: podman runs health checks by timers of systemd.
        if not Path("/run/systemd/private").exists():
            print("systemd does not run here: health checks are run one by one", flush=True)
            self.run_options = ["--health-interval=disable"]
        self.find_runtime()

    def find_base(self):
        try:
            self.ok("pull", "--quiet", IMAGE, seconds=300)
            return IMAGE
        except Failed:
            print(f"no registry has {IMAGE}: the base is made by debootstrap", flush=True)
        if f"localhost/{SUITE}" not in self.ok("images", "--format", "{{.Repository}}"):
            with tempfile.TemporaryDirectory() as directory:
                run(["debootstrap", "--variant=minbase", SUITE, f"{directory}/root", MIRROR])
                run(["tar", "-C", f"{directory}/root", "-cf", f"{directory}/tar", "."])
                self.ok("import", f"{directory}/tar", f"localhost/{SUITE}")
        return f"localhost/{SUITE}"

    def find_runtime(self):
        try:
            self.ok("run", "--rm", "--network=none", self.base, "true")
            return
        except Failed as error:
            print(f"containers run with runc without limits of resources, because of: {error}", flush=True)
        program = Path(tempfile.mkdtemp(prefix="outside-runc")) / "runc"
        program.write_text(WITHOUT_LIMITS)
        program.chmod(0o755)
        self.options += ["--runtime", str(program)]
        self.ok("run", "--rm", "--network=none", self.base, "true")

    def build(self, tag, directory):
        """Builds an image; `chroot` needs less of the machine than a container."""
        options = ["--isolation=chroot", "--network=host", f"--build-arg=BASE={self.base}"]
        self.ok("build", "--format=docker", *options, "--tag", tag, directory)
        return int(self.ok("image", "inspect", "--format", "{{.Size}}", tag))

    def ok(self, *words, seconds=600):
        return run([*self.options, *words], seconds=seconds)

    def code(self, *words):
        done = subprocess.run([*self.options, *map(str, words)], capture_output=True, text=True)
        return done.returncode


class Container:
    """A container without network, which programs of this host enter."""

    def __init__(self, podman, image, *words, options=()):
        self.podman = podman
        options = ["--detach", "--network=none", *podman.run_options, *options]
        self.id = podman.ok("run", *options, image, *words).split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.podman.ok("rm", "--force", "--time=0", self.id)

    def inspect(self):
        return json.loads(self.podman.ok("inspect", self.id))[0]

    @property
    def pid(self):
        """The process on this host that is PID 1 inside."""
        return self.inspect()["State"]["Pid"]

    def connected(self, *command):
        """A command line that runs a command of this host in the container's network."""
        return ["nsenter", "--target", str(self.pid), "--net", *map(str, command)]

    def ok(self, *command):
        return self.podman.ok("exec", self.id, *command)

    def code(self, *command):
        return self.podman.code("exec", self.id, *command)

    def is_healthy(self):
        if not self.inspect()["State"]["Running"]:
            raise Failed(f"the container has ended: {self.logs()[-2000:]}")
        return self.podman.code("healthcheck", "run", self.id) == 0

    def wait_until_healthy(self):
        wait_until("a healthy container", self.is_healthy, 60)

    def logs(self):
        return run(["sh", "-c", 'exec "$@" 2>&1', "sh", *self.podman.options, "logs", self.id])

    def status(self):
        """The status, also of a cluster that is degraded."""
        line = [*self.podman.options, "exec", self.id, "/clusterctl", "status", "--json"]
        return json.loads(subprocess.run(line, capture_output=True, text=True).stdout)

    def processes(self):
        """State and name of each process whose ancestor is PID 1."""
        found, left = [], [self.pid]
        while left:
            pid = left.pop()
            try:
                text = Path(f"/proc/{pid}/stat").read_text()
                for task in Path(f"/proc/{pid}/task").iterdir():
                    left += (task / "children").read_text().split()
            except OSError:
                continue
            name, rest = text.split("(", 1)[1].rsplit(")", 1)
            found.append((rest.split()[0], name))
        return found
