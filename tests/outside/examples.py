"""The examples of docs/your-server.md, word for word: the files of a section are written into an
empty directory, its command lines are run there, and clients use the cluster."""

import re
import shlex
import tempfile
from pathlib import Path

from harness import BALANCERS, CACHE, ROOT, Cluster, Failed, converse, converse_by_events
from harness import run as run_command

PAGE = ROOT / "docs" / "your-server.md"
FILE = re.compile(r"ave this as `([^`]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)
SHELL = re.compile(r"(?<!:\n\n)```sh\n(.*?)```", re.DOTALL)
SESSIONS = 12


def run(word=""):
    problems = []
    found = [example for example in sections(PAGE.read_text()) if word.lower() in example[0].lower()]
    if not found:
        raise Failed(f"no example has `{word}` in its heading")
    for heading, text, files in found:
        try:
            try_example(text, files)
            print(f"{heading}: works behind {' and '.join(BALANCERS)}", flush=True)
        except Failed as error:
            problems.append(f"{heading}: {error}")
    return problems


def sections(page):
    """The sections that have files: heading, text, and files. A later section of a chapter may use
    the files of an earlier one."""
    parts = re.split(r"^(##+) (.+)\n", page, flags=re.MULTILINE)[1:]
    files = {}
    for level, heading, text in zip(parts[::3], parts[1::3], parts[2::3]):
        if level == "##":
            files = {}
        if FILE.search(text):
            files = {**files, **dict(FILE.findall(text))}
            yield heading, text, files


def try_example(text, files):
    """Behind the balancer of the page, and behind the others."""
    with tempfile.TemporaryDirectory(prefix="example") as directory:
        for name, content in files.items():
            (Path(directory) / name).write_text(content)
        environment = {"npm_config_cache": str(CACHE / "npm"), "PIP_CACHE_DIR": str(CACHE / "pip")}
        lines = [shlex.split(line) for line in "".join(SHELL.findall(text)).splitlines()]
        for words in lines:
            if words[0] != "clusterctl":
                run_command(words, directory, environment)
        for balancer in BALANCERS:
            with Cluster(directory, environment) as cluster:
                for words in lines:
                    if words[0] == "clusterctl":
                        cluster.ok(*behind(balancer, words[1:]))
                try:
                    judge(cluster, text)
                except Failed as error:
                    raise Failed(f"behind {balancer}: {error}") from error


def behind(balancer, words):
    """The command `start`, which may name a balancer, with this one."""
    verb, *rest = words
    if rest and rest[0] in ("haproxy", "nginx", "builtin"):
        rest = rest[1:]
    return [verb, balancer, *rest]


def judge(cluster, text):
    status = cluster.status()
    if status["state"] != "healthy" or len(status["nodes"]) != 4:
        raise Failed(f"the cluster is not healthy: {status}")
    base = f"http://127.0.0.1:{cluster.port(8080)}"
    for _ in range(SESSIONS):
        if ":8080/sse`" in text:
            converse_by_events(f"{base}/sse")
        else:
            converse(f"{base}/mcp")
