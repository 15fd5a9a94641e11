//! The longer texts of `--help`.

pub(super) const ABOUT: &str = "\
Runs a load-balanced cluster of MCP nodes on one machine, and keeps it running.

From a profile in YAML (the default: 4 nodes, sized for 100,000 connections) it renders the balancer's configuration, \
starts the nodes and the balancer, restarts processes that die, and shows which nodes are up and whether the load is even. The balancer is \
`builtin`, which is inside this binary, or `haproxy` or `nginx`, which serve HTTPS too.";

pub(super) const EXAMPLES: &str = "\
Examples:
  clusterctl start                   4 nodes and a balancer, up when it returns
  clusterctl status                  which nodes are up, and their connections
  clusterctl health --continuous 5   the same with more detail, every 5 seconds
  clusterctl start --set nodes.count=2 --port-offset 10000 --run-dir /tmp/two
                                     a second, smaller cluster beside the first
  clusterctl load-test 100000 60     real connections: is the load even?
  clusterctl drain erlmcp1 --wait    no new connections; wait until it is empty
  clusterctl reload                  apply the changed profile, without cuts
  clusterctl scale 8                 another number of nodes, without cuts
  clusterctl switch nginx            another balancer, without cuts
  clusterctl rebalance               a node that came back gets its share
  clusterctl stop                    stop the balancer and the nodes

Durations are `500ms`, `5s`, `2m`, `1h`; a bare number is seconds.

Exit codes:
  0  done; `status` and `health`: healthy
  1  not done; `status` and `health`: not healthy, or stopped
  2  the command line is wrong; `status` and `health`: state unknown

Environment:
  CLUSTERCTL_RUN_DIR   the run directory, like --run-dir
  CLUSTERCTL_LOG       how much is logged: error, warn, info (default), debug
  NO_COLOR             no colour, even on a terminal";

pub(super) const START: &str = "\
Plans what this host can hold, renders the configuration, has the balancer itself check it, starts the nodes, \
waits until they answer, starts the balancer, and waits until it serves. A supervisor stays in the background and \
restarts processes that die. If a step fails, the last log lines are shown and nothing is left running. Processes \
that a killed supervisor left running are adopted, not restarted.

Examples:
  clusterctl start
  clusterctl start haproxy        serves HTTP, WebSockets and event streams, too
  clusterctl start nginx          serves HTTP, WebSockets and event streams, too
  clusterctl start --foreground   for systemd; SIGTERM stops it
  clusterctl start --only nodes   behind your own balancer
  clusterctl start --profile mine.yaml --set limits.maxconn=20000

Exit codes:
  0  the balancer and all nodes serve; also when they did already
  1  they do not, or another balancer runs
  2  the command line is wrong";

pub(super) const STOP: &str = "\
The balancer stops accepting connections, and established ones get the grace period to end by themselves. Then the \
balancer, the nodes and all of their child processes are ended. Logs and rendered configurations stay in the run directory.

Examples:
  clusterctl stop
  clusterctl stop --grace 30s
  clusterctl stop --grace 0   at once

Exit codes:
  0  nothing runs any more; also when nothing did
  1  a process could not be ended";

pub(super) const RESTART: &str = "\
A restarted node closes its connections; `drain` it first so that clients do not notice. A drained \
node stays drained.

With --rolling all nodes are restarted batch by batch, and the balancer is not: each node is drained, stopped and started, and \
gets clients again once it is healthy. The plan is shown first. On a terminal you are asked before connections are closed; \
without one they are waited for, unless --close or --yes is given. If a node fails, the others go on: --resume goes on, \
--undo goes back.

Examples:
  clusterctl restart erlmcp2
  clusterctl restart           every node in turn, then the balancer
  clusterctl restart --rolling --deadline 5m
  clusterctl restart --rolling --batch 2 --close
  clusterctl restart --rolling --resume

Exit codes:
  0  it serves again
  1  it does not, or the rolling restart has stopped
  2  the node is unknown";

pub(super) const RELOAD: &str = "\
The running cluster's profile is read again, with the `--set` changes given at its start; `--profile` takes another \
profile, `--set` changes more keys. What changes and what it costs is shown and checked first. The built-in balancer \
reloads within its process; for HAProxy a new process takes over the listeners, and the old one ends with its last \
connection. If the reload fails, the old configuration stays in force. Reloads of HAProxy are at least 6 seconds apart; \
reloads requested in between are carried out together.

Nodes whose command, environment, path or runtime has changed are replaced batch by batch, each drained before; new ones \
get clients once they are healthy, and others are drained and stopped. On a terminal you are asked before connections are \
closed; without one they are waited for, unless --close or --yes is given. If a step fails, what serves goes on: \
another `reload` goes on, `reload --undo` goes back.

Examples:
  clusterctl reload
  clusterctl reload --dry-run
  clusterctl reload --set limits.per_ip.connections=500
  clusterctl reload --yes --deadline 2m
  clusterctl reload --undo

Exit codes:
  0  the new configuration is in force
  1  it is not; the old one is, or the change has stopped on its way
  2  the command line is wrong";

pub(super) const SCALE: &str = "\
New nodes get the lowest free numbers, and clients once they are healthy. Of fewer nodes those with the highest numbers \
go: each is drained, then stopped. The plan is shown first. On a terminal you are asked before connections are closed; \
without one they are waited for, unless --close or --yes is given. A later `reload` keeps the number.

Examples:
  clusterctl scale 8
  clusterctl scale 3 --dry-run
  clusterctl scale 3 --deadline 5m --close

Exit codes:
  0  the cluster has that many nodes; also when it did before
  1  it has not, or the change has stopped on its way
  2  the command line is wrong";

pub(super) const NODE_ADD: &str = "\
The nodes get clients once they are healthy. A later `reload` keeps them. An external node, which this cluster does not \
start, needs its address and at least one port; a host name may have several addresses, and is resolved again and again.

Examples:
  clusterctl node add erlmcp5 erlmcp6
  clusterctl node add blue --address 10.0.0.5 --tcp-port 9001

Exit codes:
  0  they serve
  1  they do not
  2  the command line is wrong";

pub(super) const NODE_REMOVE: &str = "\
The nodes are drained, then stopped; an external node is drained, then forgotten. On a terminal you are asked before \
connections are closed; without one they are waited for, unless --close or --yes is given. A later `reload` keeps them away.

Examples:
  clusterctl node remove erlmcp4
  clusterctl node remove erlmcp3 erlmcp4 --deadline 2m --close

Exit codes:
  0  they are gone
  1  they are not, or it is the last node that serves
  2  a node is unknown";

pub(super) const SWITCH: &str = "\
The other balancer is planned, checked and started on the listeners that are open, and is healthy before the running one \
stops accepting connections. Established connections finish at the former balancer, for as long as they need or up to \
--deadline. Drains stay in force. What changes for clients is shown first: clients that stick to a node by their address \
may reach another node. If the other balancer fails, the running one goes on.

Examples:
  clusterctl switch nginx
  clusterctl switch haproxy --deadline 10m
  clusterctl switch builtin --dry-run   what would change

Exit codes:
  0  the other balancer takes new connections
  1  it does not; the former one does
  2  the balancer is unknown, or the supervisor ended meanwhile";

pub(super) const DRAIN: &str = "\
Established connections stay open; clients that were sticky to the node get another node, and an HTTP session starts \
again there. A drain survives restarts of the balancer and of the supervisor; `clusterctl ready NODE` undoes it.

Examples:
  clusterctl drain erlmcp1
  clusterctl drain erlmcp1 --wait --deadline 10m
  clusterctl drain erlmcp1 --wait --deadline 30s --close --stop

Exit codes:
  0  the node gets no new connections; with --wait: empty, with --stop: stopped
  1  connections were left at the deadline, or it is the last node that serves
  2  the node is unknown";

pub(super) const READY: &str = "\
The node gets new connections again; existing clients are not moved back. If the drain stopped the node, it is started first.

Examples:
  clusterctl ready erlmcp1

Exit codes:
  0  it takes new connections; also when it did already
  1  it does not
  2  the node is unknown";

pub(super) const REBALANCE: &str = "\
A node that was away has no connections when it is back, and gets only its share of new ones. A rebalance closes \
connections of the nodes that hold more than their share, evenly over --over, those first that were idle longest; their \
clients connect again and get other nodes. It stops as soon as the nodes are even, and closes nothing if they cannot \
become so. Only connections that stay with their node matter: those over TCP, and WebSockets and event streams, which \
are spared without --streams. Requests over HTTP get a node each time.

Examples:
  clusterctl rebalance --dry-run        what would be closed
  clusterctl rebalance
  clusterctl rebalance --to 10% --over 5m

Exit codes:
  0  the nodes are even; also when they were already
  1  they are not, or cannot become even
  2  the command line is wrong, or the supervisor ended meanwhile";

pub(super) const STATUS: &str = "\
✓ marks a node that is up and holds its share, ✗ one that does not, - one that an operator drained or stopped. \
Variance is (max - min) / mean of the connections per node that takes traffic; with fewer than 50 per node the \
distribution is not judged.

Examples:
  clusterctl status
  clusterctl status --json | jq -r '.nodes[] | \"\\(.name) \\(.connections)\"'

Exit codes:
  0  healthy: the balancer runs, every node is up or drained by an operator
  1  degraded, down, or stopped
  2  unknown: the supervisor does not answer";

pub(super) const HEALTH: &str = "\
Shows the status, alerts, endpoints, resources, and the latencies of the supervisor's own probes. With \
--continuous the exit code is that of the last status shown.

Examples:
  clusterctl health
  clusterctl health --continuous 5           redrawn in place, until Ctrl-C
  clusterctl health --continuous 1s --json   one JSON object a line
  clusterctl health --serving                for a container: degraded is enough

Exit codes:
  0  healthy: the balancer runs, every node is up or drained by an operator
  1  degraded, down, or stopped; with --serving down or stopped
  2  unknown: the supervisor does not answer";

pub(super) const STATS: &str = "\
The rows of HAProxy's `show stat`: current, peak and total sessions, sessions per second, bytes in and out.

Examples:
  clusterctl stats
  clusterctl stats --json | jq '.rows[] | select(.name == \"BACKEND\")'

Exit codes:
  0  shown
  1  the cluster is not running, or runs without a balancer";

pub(super) const ERLANG: &str = "\
Speaks Erlang's distribution protocol, as a hidden node: neither `erl` nor epmd is needed here, and nothing is loaded onto \
the node. The port of a node of this cluster is known; the port of any other node comes from --port, or from the epmd \
of its host (at ERL_EPMD_PORT, if set). The cookie is read from a file, never from the command line.

`call` takes one list of all arguments. Terms are written and shown in Erlang's syntax; a pid is one of the node's own. What \
the call prints is shown before its result; its standard input is empty. An exception is shown with its \
stack trace, and a call that takes longer than --timeout is ended, also one that traps exits. With --json, atoms and \
binaries are strings, tuples and lists arrays, lists of printable characters strings, maps objects; `term` has the result in \
Erlang's syntax.

Examples:
  clusterctl erlang erlmcp1 memory
  clusterctl erlang erlmcp1 processes --json
  clusterctl erlang erlmcp1 call lists seq '[1,3]'
  clusterctl erlang erlmcp1 call lists sum '[[1,2,3]]'
  clusterctl erlang erlmcp1 call erlang process_info '[<0.80.0>]'
  clusterctl erlang mine@localhost nodes --cookie-file my.cookie
  clusterctl erlang mine@localhost ports --port 9100

Exit codes:
  0  the node answered
  1  the node did not answer, no cluster runs, or the call ended in an exception
  2  the node is unknown, or the command line is wrong";

pub(super) const LOGS: &str = "\
Also works while the cluster is stopped: logs stay after a stop. A log above 10 MiB is moved to NAME.log.1.

Examples:
  clusterctl logs              the last 20 lines of each log
  clusterctl logs erlmcp1 -f   each new line too, until Ctrl-C
  clusterctl logs supervisor -n 100
  clusterctl logs nginx-access  nginx's requests and sessions, once they end

Exit codes:
  0  shown
  1  the run directory has no logs, or they cannot be read
  2  the log is unknown";

pub(super) const RENDER: &str = "\
Prints the configuration that `start` would run on this host, and warnings on stderr.

Examples:
  clusterctl render
  clusterctl render haproxy --set limits.maxconn=5000 > haproxy.cfg
  clusterctl render haproxy --output /tmp/rendered
  clusterctl render haproxy --templates ./templates

Exit codes:
  0  rendered
  1  the profile is wrong, or a template fails";

pub(super) const CHECK: &str = "\
Starts nothing. Every mistake of a profile is shown at once, with its file, line and column.

Examples:
  clusterctl check
  clusterctl check haproxy
  clusterctl check --profile mine.yaml

Exit codes:
  0  the profile is sound, and the balancer accepts its configuration
  1  one of them is not";

pub(super) const DOCTOR: &str = "\
Checks programs and their versions, limits, ports and the processes that hold them, kernel settings and memory. Each \
finding comes with the command that fixes it; nothing is changed without --fix.

With --connections N, a table comes first: for each resource what N connections need, what this host gives, and what is \
done about it. If they do not all fit, a finding shows how many do.

With --fix, which needs root, kernel parameters that are too low are set, and kept for the next boot in \
/etc/sysctl.d/60-clusterctl.conf. If users' limit on descriptors is too low under sudo, it is raised for the next login \
by /etc/security/limits.d/60-clusterctl.conf. Each change is printed before it is made, with the command that undoes it. \
Then the host is checked again: findings that only you can fix are shown again.

Examples:
  clusterctl doctor
  clusterctl doctor haproxy
  clusterctl doctor --set nodes.count=8
  clusterctl doctor --connections 200000 builtin
  sudo clusterctl doctor --fix

Exit codes:
  0  this host can run the cluster, perhaps a smaller one
     (with --connections: one that holds them all)
  1  it cannot, or something could not be changed";

pub(super) const LOAD_TEST: &str = "\
Opens real connections through the balancer, does the MCP handshake on each, holds all of them and pings over them. It \
shows how evenly the connections are spread over the nodes, as counted by the test, by the balancer and by the kernel; \
how long answers take on each node; whether clients come back to their node; and with --failover, when a node's clients \
are served by other nodes. Before it begins it checks that this host has the resources, and reports those that it lacks.

Latency counts from when a ping was due, so a target that stalls cannot hide it. Ctrl-C ends the test with what it has \
measured so far.

Examples:
  clusterctl load-test                        100000 connections for 60 seconds
  clusterctl load-test 25000 30
  clusterctl load-test 9000 30 --protocol ws  behind HAProxy or nginx
  clusterctl load-test --failover erlmcp2     one node is killed in the middle
  clusterctl load-test --report test.html --json > test.json
  clusterctl load-test --compare before.json after.json
  clusterctl load-test 1000 10 --target 127.0.0.1:9001
  clusterctl load-test 10k 30 --target http://127.0.0.1:8080/mcp

Exit codes:
  0  passed: all were held without an error, and results are within target
  1  failed, or ended early
  2  could not be run, or the command line is wrong";

pub(super) const PROFILE: &str = "\
Your own profile needs only the keys that it changes; all others come from the default one. \
`profile show` prints the default one with a comment on each key.

Examples:
  clusterctl profile list
  clusterctl profile show > mine.yaml
  clusterctl profile schema > profile.schema.json

Exit codes:
  0  printed
  1  the profile cannot be read
  2  the profile is unknown";

pub(super) const NODE: &str = "\
Speaks MCP: newline-delimited JSON-RPC over TCP; over HTTP /mcp (Streamable HTTP), /mcp/sse (HTTP with SSE, MCP \
2024-11-05), /mcp/ws (WebSocket), /health, /ready and /live. `start` runs its nodes this way. SIGTERM or Ctrl-C ends it: \
with `--announce 5s` /ready answers 503 for that long first, and with `--over 30s` connections are closed one after \
another. A second signal ends it at once. `node add` and `node remove` change the nodes of the running cluster instead.

Fault injection, for drills: `--delay 1300ms` delays every answer by that much, `--mute tcp` or `--mute http` accepts \
connections on that port and never answers.

Examples:
  clusterctl node --name erlmcp1 --tcp 127.0.0.1:9001 --http 127.0.0.1:8081
  clusterctl node --name erlmcp1 --http 0.0.0.0:8081 --announce 5s --over 30s
  clusterctl node --name slow --tcp 127.0.0.1:9009 --delay 1300ms
  clusterctl node add erlmcp5
  clusterctl node remove erlmcp4

Exit codes:
  0  ended by a signal
  1  could not serve";

pub(super) const DATAPLANE: &str = "\
Spreads TCP connections over servers and answers HAProxy's runtime API on a UNIX socket, so that tools made for HAProxy \
work with it. `start builtin` runs it this way. SIGTERM or Ctrl-C ends it, after SIGUSR1 it accepts nothing more and \
ends with its last connection, at SIGHUP it reads its configuration again.

Examples:
  clusterctl render builtin > dataplane.yaml
  clusterctl dataplane --config dataplane.yaml
  echo 'show stat' | socat stdio /run/clusterctl/erlmcp/dataplane.sock

Exit codes:
  0  ended by a signal
  1  could not serve";

pub(super) const EXPORT: &str = "\
Both run `start --foreground` with the profile and the other flags given here. In the unit a supervisor that is killed \
or hangs is started again, and adopts the nodes and the balancer, which go on. `systemctl reload` applies the changed \
profile; `systemctl stop` leaves nothing running. In a container the supervisor is PID 1. With the built-in balancer the \
image contains this program and its libraries alone, else Debian with the balancer's package.

Examples:
  clusterctl export systemd
  clusterctl export systemd haproxy --profile mine.yaml
  sudo clusterctl export systemd --user mcp --output /etc/systemd/system
  clusterctl export container builtin --output image
  clusterctl export container haproxy --with nginx --profile mine.yaml

Exit codes:
  0  printed or written
  1  the profile is wrong, or a file cannot be written
  2  the command line is wrong";

pub(super) const COMPLETIONS: &str = "\
Examples:
  clusterctl completions bash > /etc/bash_completion.d/clusterctl
  clusterctl completions zsh > \"${fpath[1]}/_clusterctl\"
  clusterctl completions fish > ~/.config/fish/completions/clusterctl.fish";

pub(super) const MAN: &str = "\
Examples:
  clusterctl man | man -l -
  clusterctl man > /usr/local/share/man/man1/clusterctl.1";

#[cfg(test)]
mod tests {
    /// Columns of a terminal in its usual size.
    const COLUMNS: usize = 80;

    #[test]
    fn lists_fit_a_terminal_of_the_usual_width() {
        for verb in crate::cli::command().get_subcommands() {
            let help = verb.get_after_long_help().map(ToString::to_string);
            let help = help.unwrap_or_else(|| super::EXAMPLES.to_owned());
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                assert!(line.chars().count() <= COLUMNS, "{}: {line}", verb.get_name());
            }
        }
    }
}
