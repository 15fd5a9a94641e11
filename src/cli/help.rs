//! The longer texts of `--help`.

pub(super) const ABOUT: &str = "\
Runs a load-balanced cluster of MCP nodes on one machine, and keeps it running.

From a profile in YAML (the default: 4 nodes, sized for 100,000 connections) it renders the balancer's configuration, \
starts the nodes and the balancer, restarts what dies, and shows who is up and whether the load is even. The balancer is \
`builtin`, which is inside this binary and serves TCP, or `haproxy` or `nginx`, which serve HTTP too.";

pub(super) const EXAMPLES: &str = "\
Examples:
  clusterctl start                   4 nodes and a balancer, up when it returns
  clusterctl status                  who is up, who holds how many connections
  clusterctl health --continuous 5   more of it, every 5 seconds
  clusterctl start --set nodes.count=2 --port-offset 10000 --run-dir /tmp/two
                                     a second, smaller cluster beside the first
  clusterctl load-test 100000 60     real connections: do they lie evenly?
  clusterctl drain erlmcp1 --wait    nothing new to a node, until it is empty
  clusterctl reload                  the profile as it is now, without a cut
  clusterctl stop                    stops all of it

Durations are `500ms`, `5s`, `2m`, `1h`; a bare number is seconds.

Exit codes:
  0  done; `status` and `health`: healthy
  1  not done; `status` and `health`: not healthy, or stopped
  2  the command line is wrong; `status` and `health`: could not tell

Environment:
  CLUSTERCTL_RUN_DIR   the run directory, like --run-dir
  CLUSTERCTL_LOG       how much is logged: error, warn, info (default), debug
  NO_COLOR             no colour, even on a terminal";

pub(super) const START: &str = "\
Plans what this host can hold, renders the configuration, has the balancer itself check it, starts the nodes, \
waits until they answer, starts the balancer, and waits until it serves. A supervisor stays in the background and \
restarts what dies. If something fails, its last log lines are shown and nothing is left running. What a killed \
supervisor left running is adopted, not restarted.

Examples:
  clusterctl start
  clusterctl start haproxy        HTTP, WebSockets and event streams, too
  clusterctl start nginx          the same
  clusterctl start --foreground   for systemd; SIGTERM stops it
  clusterctl start --only nodes   behind a balancer of yours
  clusterctl start --profile mine.yaml --set limits.maxconn=20000

Exit codes:
  0  all of it serves; also when it did already
  1  it does not, or another balancer runs
  2  the command line is wrong";

pub(super) const STOP: &str = "\
The balancer stops accepting, its connections get the grace to end by themselves, then the balancer and the nodes are \
ended, with everything that they have spawned. Logs and rendered configurations stay in the run directory.

Examples:
  clusterctl stop
  clusterctl stop --grace 30s
  clusterctl stop --grace 0   at once

Exit codes:
  0  nothing runs any more; also when nothing did
  1  something could not be ended";

pub(super) const RESTART: &str = "\
A node that is restarted closes its connections; `drain` it first for clients that must not notice. A drained \
node stays drained.

Examples:
  clusterctl restart erlmcp2
  clusterctl restart           every node in turn, then the balancer

Exit codes:
  0  it serves again
  1  it does not
  2  there is no such node";

pub(super) const RELOAD: &str = "\
The running cluster's profile is read again, with the changes that its start was given; `--profile` takes another one, \
`--set` changes more. What is different is shown and checked. The built-in balancer reads it within its process; of \
HAProxy a new process takes the listeners over, and the old one ends with its last connection. If anything fails, the \
old configuration stays in force. Reloads of HAProxy are 6 seconds apart; those that come in between are carried out \
together.

Examples:
  clusterctl reload
  clusterctl reload --set limits.per_ip.connections=500

Exit codes:
  0  the new configuration is in force
  1  it is not; the old one is
  2  the command line is wrong";

pub(super) const DRAIN: &str = "\
Established connections go on; clients that were sticky to the node get another one, and a session over HTTP begins \
anew there. The order outlives restarts of the balancer and of the supervisor; `clusterctl ready NODE` undoes it.

Examples:
  clusterctl drain erlmcp1
  clusterctl drain erlmcp1 --wait --deadline 10m
  clusterctl drain erlmcp1 --wait --deadline 30s --close --stop

Exit codes:
  0  the node gets nothing new; with --wait: it is empty, with --stop: stopped
  1  connections were left at the deadline, or it is the last node that serves
  2  there is no such node";

pub(super) const READY: &str = "\
The node gets new connections again; nobody is moved back to it. If the drain had stopped it, it is started first.

Examples:
  clusterctl ready erlmcp1

Exit codes:
  0  it takes new connections; also when it did already
  1  it does not
  2  there is no such node";

pub(super) const STATUS: &str = "\
✓ marks a node that is up and holds its share, ✗ one that does not, - one that was drained or stopped by an order. \
Variance is (max - min) / mean of the connections per node that takes traffic; with fewer than 50 per node the \
distribution is not judged.

Examples:
  clusterctl status
  clusterctl status --json | jq -r '.nodes[] | \"\\(.name) \\(.connections)\"'

Exit codes:
  0  healthy: the balancer runs, every node is up or drained by an order
  1  degraded, down, or stopped
  2  could not tell: the supervisor does not answer";

pub(super) const HEALTH: &str = "\
The status, and beside it alerts, endpoints, resources, and the latencies of the supervisor's own probes. With \
--continuous the exit code is that of the last look.

Examples:
  clusterctl health
  clusterctl health --continuous 5           redrawn in place, until Ctrl-C
  clusterctl health --continuous 1s --json   one JSON object a line

Exit codes:
  0  healthy: the balancer runs, every node is up or drained by an order
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

pub(super) const ERLANG: &str = "\
Speaks Erlang's distribution protocol, as a hidden node: neither `erl` nor epmd is needed here, and nothing is loaded onto \
the node. A node of this cluster is asked where it listens; of any other one the epmd of its host is asked (at \
ERL_EPMD_PORT, if set), or --port says. The cookie is read from a file, never from the command line.

`call` takes one list of all arguments. Terms are written and shown in Erlang's syntax; a pid is one of the node's own. What \
the call prints is shown before its result; nobody types what it reads, so that is at its end. An exception is told with its \
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
  0  it answered
  1  it did not, no cluster runs, or the call ended in an exception
  2  there is no such node, or the command line is wrong";

pub(super) const LOGS: &str = "\
Works also when nothing runs: logs stay after a stop. A log above 10 MiB is moved to NAME.log.1.

Examples:
  clusterctl logs              the last 20 lines of each log
  clusterctl logs erlmcp1 -f   each new line too, until Ctrl-C
  clusterctl logs supervisor -n 100
  clusterctl logs nginx-access  nginx's requests and sessions, once they end

Exit codes:
  0  shown
  1  there are no logs, or they cannot be read
  2  there is no such log";

pub(super) const RENDER: &str = "\
What is printed is what `start` would run on this host, warnings on stderr.

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
Looks at programs and their versions, limits, ports and who holds them, kernel settings and memory. Each finding comes \
with the command that fixes it; nothing is changed without --fix.

With --connections N, a table comes first: for each resource what N connections need, what this host gives, and what is \
done about it. Where they do not all fit it is said how many do, and that is a finding to mend.

With --fix, which needs root, the kernel parameters that were found wanting are set, and kept for the next boot in \
/etc/sysctl.d/60-clusterctl.conf; the limit on descriptors of users, found wanting under sudo, is raised for the next \
login by /etc/security/limits.d/60-clusterctl.conf. Each change is said before it is made, with the command that undoes \
it. Then the host is examined anew: what only you can mend is found again.

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
Opens real connections through the balancer, does the MCP handshake on each, holds all of them and pings over them, and shows \
what it has measured: how even they lie on the nodes, counted by itself, by the balancer and by the kernel; how long answers \
take on each node; whether clients come back to their node; with --failover, when a node's clients are served elsewhere. \
Before it begins it plans what that takes here, and says what does not fit.

Latency counts from when a ping was due, so a target that stalls cannot hide it. Ctrl-C ends the test with what it has \
found so far.

Examples:
  clusterctl load-test                        100000 connections for 60 seconds
  clusterctl load-test 25000 30
  clusterctl load-test 9000 30 --protocol ws  behind one that serves it
  clusterctl load-test --failover erlmcp2     one node is killed in the middle
  clusterctl load-test --report test.html --json > test.json
  clusterctl load-test --compare before.json after.json
  clusterctl load-test 1000 10 --target 127.0.0.1:9001
  clusterctl load-test 10k 30 --target http://127.0.0.1:8080/mcp

Exit codes:
  0  passed: all were held without an error, and what is judged is within target
  1  failed, or ended early
  2  could not be run, or the command line is wrong";

pub(super) const PROFILE: &str = "\
A profile of yours needs only the keys it changes; everything else is taken from the default one. \
`profile show` prints that with a comment on each key.

Examples:
  clusterctl profile list
  clusterctl profile show > mine.yaml
  clusterctl profile schema > profile.schema.json

Exit codes:
  0  printed
  1  the profile cannot be read
  2  there is no such profile";

pub(super) const NODE: &str = "\
Speaks MCP: newline-delimited JSON-RPC over TCP; over HTTP /mcp (Streamable HTTP), /mcp/sse (HTTP with SSE, MCP \
2024-11-05), /mcp/ws (WebSocket) and /health. `start` runs its nodes this way. SIGTERM or Ctrl-C ends it.

Faults on order, for drills: `--delay 1300ms` gives every answer so much later, `--mute tcp` or `--mute http` accepts \
on that port and never answers.

Examples:
  clusterctl node --name erlmcp1 --tcp 127.0.0.1:9001 --http 127.0.0.1:8081
  clusterctl node --name slow --tcp 127.0.0.1:9009 --delay 1300ms

Exit codes:
  0  it was ended by a signal
  1  it could not serve";

pub(super) const DATAPLANE: &str = "\
Spreads TCP connections over servers and answers HAProxy's runtime API on a UNIX socket, so that tools made for HAProxy \
work with it. `start builtin` runs it this way. SIGTERM or Ctrl-C ends it, after SIGUSR1 it accepts nothing more and \
ends with its last connection, at SIGHUP it reads its configuration again.

Examples:
  clusterctl render builtin > dataplane.yaml
  clusterctl dataplane --config dataplane.yaml
  echo 'show stat' | socat stdio /run/clusterctl/erlmcp/dataplane.sock

Exit codes:
  0  it was ended by a signal
  1  it could not serve";

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
    /// Columns of a terminal that nobody has enlarged.
    const COLUMNS: usize = 80;

    #[test]
    fn lists_are_not_broken_by_a_usual_terminal() {
        for verb in crate::cli::command().get_subcommands() {
            let help = verb.get_after_long_help().map(ToString::to_string);
            let help = help.unwrap_or_else(|| super::EXAMPLES.to_owned());
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                assert!(line.chars().count() <= COLUMNS, "{}: {line}", verb.get_name());
            }
        }
    }
}
