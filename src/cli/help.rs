//! The longer texts of `--help`.

pub(super) const ABOUT: &str = "\
Starts, watches and proves a load-balanced cluster of MCP nodes.

From a profile (YAML; the default is 4 nodes for 100,000 connections) clusterctl renders the balancer's configuration, \
starts nodes and balancer under a supervisor of its own, and shows who is up and whether the load is even.";

pub(super) const EXAMPLES: &str = "\
Examples:
  clusterctl start haproxy                     4 nodes behind HAProxy; returns when all of it serves
  clusterctl status                            who is up, who holds how many connections
  clusterctl health --continuous 5             the same and more, every 5 seconds
  clusterctl start --set nodes.count=2 --port-offset 1000 --run-dir /tmp/two
                                               a second, smaller cluster beside the first
  clusterctl stop                              ends all of it

Durations are `500ms`, `5s`, `2m`, `1h`; a bare number is seconds.

Exit codes:
  0  done; `status` and `health`: healthy
  1  not done; `status` and `health`: not healthy, or stopped
  2  the command line is wrong; `status` and `health`: could not tell

Environment:
  CLUSTERCTL_RUN_DIR   the run directory, as --run-dir
  CLUSTERCTL_LOG       what the supervisor and nodes log: error, warn, info (default), debug
  NO_COLOR             no colour, even on a terminal";

pub(super) const START: &str = "\
Plans for this host, renders the configuration, lets the real balancer check it, starts the nodes, waits until they \
answer, starts the balancer, and waits until it serves. A supervisor stays behind that restarts what dies. If something \
fails, its last log lines are shown, and nothing is left running. What a killed supervisor has left running is adopted.

Examples:
  clusterctl start haproxy
  clusterctl start haproxy --foreground        for systemd and containers; SIGTERM stops the cluster
  clusterctl start --only nodes                when another balancer stands in front
  clusterctl start --profile mine.yaml --set limits.maxconn=20000

Exit codes:
  0  all of it serves; also when it did already
  1  it does not, or another balancer runs
  2  the command line is wrong";

pub(super) const STOP: &str = "\
The balancer accepts no more, its connections get the grace, then everything is ended, whole process groups. Logs and \
rendered configurations stay in the run directory.

Examples:
  clusterctl stop
  clusterctl stop --grace 30s
  clusterctl stop --grace 0                    at once

Exit codes:
  0  nothing runs any more; also when nothing did
  1  something could not be ended";

pub(super) const RESTART: &str = "\
Examples:
  clusterctl restart erlmcp2
  clusterctl restart                           every node, one after another, then the balancer

Exit codes:
  0  it serves again
  1  it does not
  2  there is no such node";

pub(super) const STATUS: &str = "\
✓ is a node that is up and holds its share, ✗ one that does not, - one that takes no new connections because somebody \
wanted that. Variance is (max - min) / mean of the connections per node; under 50 connections per node nothing is judged.

Examples:
  clusterctl status
  clusterctl status --json | jq -r '.nodes[] | \"\\(.name) \\(.connections)\"'

Exit codes:
  0  healthy: the balancer runs, every node is up or was drained by an order
  1  degraded, down, or stopped
  2  could not tell: the supervisor does not answer";

pub(super) const HEALTH: &str = "\
Examples:
  clusterctl health
  clusterctl health --continuous 5             redrawn in place on a terminal, until Ctrl-C
  clusterctl health --continuous 1s --json     one JSON object a line

Exit codes:
  0  healthy (when it was last looked at)
  1  degraded, down, or stopped
  2  could not tell: the supervisor does not answer";

pub(super) const STATS: &str = "\
The rows of HAProxy's `show stat`: sessions now, at most and in total, sessions per second, bytes in and out.

Examples:
  clusterctl stats
  clusterctl stats --json | jq '.rows[] | select(.name == \"BACKEND\")'

Exit codes:
  0  shown
  1  nothing runs, or there is no balancer to ask";

pub(super) const LOGS: &str = "\
Also works when nothing runs: logs stay after a stop.

Examples:
  clusterctl logs                              the last 20 lines of each log
  clusterctl logs erlmcp1 -f                   its last 20 lines and what follows, until Ctrl-C
  clusterctl logs supervisor -n 100

Exit codes:
  0  shown
  1  there are no logs, or they cannot be read
  2  there is no such log";

pub(super) const RENDER: &str = "\
Prints what `start` would run on this host.

Examples:
  clusterctl render haproxy
  clusterctl render haproxy --set limits.maxconn=5000 > haproxy.cfg
  clusterctl render haproxy --output /tmp/rendered
  clusterctl render haproxy --templates ./templates

Exit codes:
  0  rendered
  1  the profile is wrong, or a template fails";

pub(super) const CHECK: &str = "\
Examples:
  clusterctl check haproxy
  clusterctl check --profile mine.yaml

Exit codes:
  0  the profile is right, and the balancer accepts its configuration
  1  not so";

pub(super) const DOCTOR: &str = "\
Looks at programs and their versions, limits, ports and who holds them, kernel settings, memory; each finding comes \
with the command that fixes it.

Examples:
  clusterctl doctor
  clusterctl doctor --set nodes.count=8

Exit codes:
  0  this host holds what the profile wants
  1  it does not";

pub(super) const PROFILE: &str = "\
A profile of yours needs only the keys it changes; everything else is taken from the default one.

Examples:
  clusterctl profile list
  clusterctl profile show > mine.yaml
  clusterctl profile schema > profile.schema.json";

pub(super) const NODE: &str = "\
Examples:
  clusterctl node --name erlmcp1 --tcp 127.0.0.1:9001 --http 127.0.0.1:8081

Over HTTP: /mcp (Streamable HTTP), /mcp/sse (HTTP with SSE, MCP 2024-11-05), /mcp/ws (WebSocket), /health.
SIGTERM and Ctrl-C end it.

Faults on order, for drills: --delay 1300ms gives every answer so much later, --mute tcp or --mute http
accepts on that port and never answers.";

pub(super) const COMPLETIONS: &str = "\
Examples:
  clusterctl completions bash > /etc/bash_completion.d/clusterctl
  clusterctl completions zsh > \"${fpath[1]}/_clusterctl\"
  clusterctl completions fish > ~/.config/fish/completions/clusterctl.fish";

pub(super) const MAN: &str = "\
Examples:
  clusterctl man | man -l -
  clusterctl man > /usr/local/share/man/man1/clusterctl.1";
