"""Health checks leave nothing behind: the memory of a server on each official SDK stays the same
over 2,000 checks."""

import shutil
import sys
import time

from harness import CACHE, HERE, Cluster, Failed, installed, npm_ci
from harness import run as execute

PLACE = HERE / "servers"
CHECKS = 2_000
#: Checks before the first measurement, in which a server allocates what it keeps.
WARM_UP = 300
INTERVAL = 0.02
#: A session costs the Python SDK some 40 kB: 2,000 of them are 80 MB.
ALLOWED_GROWTH = 4 << 20
PYTHON_SDKS = ["1.30.0", "2.3.0"]


def run():
    problems = []
    for title, command, directory in servers():
        before, after = measure(command, directory)
        grown = after - before
        print(
            f"{title:24} {before / 2**20:6.1f} MiB after {WARM_UP} checks, "
            f"{after / 2**20:6.1f} MiB after {WARM_UP + CHECKS}",
            flush=True,
        )
        if grown > ALLOWED_GROWTH:
            problems.append(f"{title}: {CHECKS} checks have cost {grown / 2**20:.1f} MiB")
    return problems


def servers():
    for version in PYTHON_SDKS:
        python = python_sdk(version)
        script = PLACE / f"server_{version.split('.')[0]}.py"
        yield f"Python SDK {version}", [str(python), str(script)], PLACE
    packages = installed("conformance-server", HERE / "conformance" / "server", npm_ci)
    # Node finds packages beside the server's file.
    script = shutil.copy(PLACE / "server.mjs", packages / "checks.mjs")
    node = installed("conformance", HERE / "conformance", npm_ci) / "node_modules/node/bin/node"
    # Node lets garbage lie until the heap is full; collected often, what is left is what is kept.
    collect = "--import=data:text/javascript,setInterval(gc,500).unref()"
    yield "TypeScript SDK", [str(node), "--expose-gc", collect, str(script)], packages


def python_sdk(version):
    """The Python interpreter that has this version of the official SDK."""
    home = CACHE / f"python-sdk-{version}"
    python = home / "bin" / "python"
    if not python.exists():
        execute([sys.executable, "-m", "venv", home])
        execute([python, "-m", "pip", "install", "--quiet", f"mcp=={version}"])
    return python


def measure(command, directory):
    """The server's resident memory after the warm-up, and after the checks."""
    words = ", ".join(f"'{word}'" for word in command)
    settings = [
        "nodes.runtime=command",
        f"nodes.command=[{words}]",
        "nodes.environment={PORT: '{http_port}'}",
        f"nodes.directory={directory}",
        "nodes.tcp_port=null",
        "nodes.count=1",
        "limits.maxconn=4000",
        f"health.interval={int(INTERVAL * 1000)}ms",
    ]
    with Cluster(directory) as cluster:
        cluster.ok("start", "haproxy", *(word for value in settings for word in ("--set", value)))
        config = open(f"{cluster.run_dir}/haproxy.cfg").read()
        if "meth POST uri /mcp" not in config:
            raise Failed("the checks are not those of MCP")
        time.sleep(WARM_UP * INTERVAL)
        before = memory(cluster)
        time.sleep(CHECKS * INTERVAL)
        return before, memory(cluster)


def memory(cluster):
    node = cluster.status()["nodes"][0]
    if node["state"] != "up":
        raise Failed(f"the node is {node['state']}: {node.get('reason')}")
    return node["memory_bytes"]
