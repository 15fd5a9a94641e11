"""A machine of its own for systemd: it is PID 1 of namespaces, with an overlay of this host's root
file system, its own control groups and its own network. Nothing that it writes stays."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from harness import Failed, run, wait_until

BOOT = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/root"
cd "$1/root"
for place in run tmp; do mount -t tmpfs tmpfs $place; done
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
ip link set lo up
rm -f etc/systemd/system/*.wants/*
mkdir former
pivot_root . former
umount -l /former
exec env -i container=outside PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    /lib/systemd/systemd --system --log-target=null --show-status=no --unit=basic.target
"""
NAMESPACES = ["--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup"]


class Machine:
    """A booted machine, ended at the end."""

    def __enter__(self):
        self.place = tempfile.mkdtemp(prefix="outside-machine")
        self.group = Path(tempfile.mkdtemp(prefix="clusterctl-outside-", dir=groups()))
        try:
            self.boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def boot(self):
        self.process = subprocess.Popen(
            ["unshare", "--fork", "--kill-child", *NAMESPACES, "sh", "-c", BOOT, "sh", self.place],
            preexec_fn=lambda: (self.group / "cgroup.procs").write_text(str(os.getpid())),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = int(wait_until("the first process", self.first_process))
        wait_until("systemd", lambda: self.state() in ("running", "degraded"), 60)

    def first_process(self):
        if self.process.poll() is not None:
            raise Failed(f"the machine has not started: {self.process.stderr.read()}")
        return Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()

    def __exit__(self, *_):
        if getattr(self, "process", None):
            self.process.kill()
            self.process.communicate()
        # The machine's processes end a moment later, and only empty groups can be removed.
        wait_until("the end of the control groups", lambda: removed(self.group), 30)
        os.rmdir(self.place)

    def state(self):
        if self.process.poll() is not None:
            raise Failed(f"the machine has ended: {self.process.stderr.read()}")
        command = self.inside("systemctl", "is-system-running")
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    def inside(self, *command):
        """A command line that runs a command on the machine."""
        return ["nsenter", "--target", str(self.pid), *NAMESPACES, "--root", "--wd=/", *command]

    def connected(self, *command):
        """A command line that runs a command of this host in the machine's network."""
        return ["nsenter", "--target", str(self.pid), "--net", *map(str, command)]

    def ok(self, *command):
        return run(self.inside(*command))

    def json(self, *command):
        return json.loads(self.ok(*command))

    def path(self, path):
        """The path on this host of a file of the machine."""
        return Path(f"/proc/{self.pid}/root{path}")

    def copy(self, source, target):
        shutil.copy(source, self.path(target))

    def signal(self, pid, number):
        self.ok("kill", f"-{number.value}", str(pid))

    def lives(self, pid):
        return self.path(f"/proc/{pid}/stat").exists()


def groups():
    """Where this host has control groups of version 2."""
    found = run(["findmnt", "--types", "cgroup2", "--noheadings", "--output", "TARGET", "--first-only"])
    return found.strip()


def removed(group):
    for directory, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(directory)
        except OSError:
            return False
    return True


def must_be_root(packages):
    """Installs what is missing, by program, from Debian's packages."""
    if os.geteuid() != 0:
        raise Failed("only root can do this")
    missing = sorted({package for program, package in packages.items() if not shutil.which(program)})
    if missing:
        print(f"installing {' '.join(missing)} by apt-get", flush=True)
        run(["apt-get", "install", "--yes", "--no-install-recommends", *missing])


SIGKILL, SIGSTOP = signal.SIGKILL, signal.SIGSTOP
