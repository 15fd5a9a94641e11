# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_clusterctl_global_optspecs
    string join \n profile= set= port-offset= run-dir= templates= json no-color h/help V/version
end

function __fish_clusterctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_clusterctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_clusterctl_using_subcommand
    set -l cmd (__fish_clusterctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c clusterctl -n "__fish_clusterctl_needs_command" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_needs_command" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_needs_command" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_needs_command" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_needs_command" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_needs_command" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -s V -l version -d 'Print version'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "start" -d 'Start the nodes and the balancer, and return when all of them serve'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "stop" -d 'Stop the balancer, then the nodes; leave nothing running'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "restart" -d 'Restart one node, or all of them one after another and then the balancer'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "reload" -d 'Apply the changed profile without losing a connection'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "scale" -d 'Give the running cluster another number of nodes'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "switch" -d 'Let another balancer take over without losing a connection'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "drain" -d 'Give a node no new connections or sessions; established ones stay'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "ready" -d 'Undo a drain; start the node if the drain had stopped it'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "rebalance" -d 'Close connections of nodes that hold too many, so that their clients get other nodes'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "status" -d 'Show which nodes are up, how many connections each holds, and whether that is even'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "health" -d 'Show the status with latencies, resources and alerts; once or continuously'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "stats" -d 'Show the balancer\'s own statistics'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "load-test" -d 'Open real connections, hold them, and show whether the load is even'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "erlang" -d 'Query a BEAM node: its memory, processes, ports and nodes, or any call'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "logs" -d 'Show the logs of the nodes, the balancer and the supervisor'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "render" -d 'Print the balancer\'s configuration, or write it to a directory'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "check" -d 'Check the profile, and the configuration with the balancer'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "doctor" -d 'Check this host, and show how to fix what is wrong'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "profile" -d 'List and show profiles, and print their schema'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "node" -d 'Run one MCP node alone, in the foreground; or add nodes to the cluster, and remove them'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "dataplane" -d 'Run the built-in load balancer alone, in the foreground'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "export" -d 'Print a unit of systemd, or a Containerfile, that runs the cluster'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "man" -d 'Print the manual page, in roff'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "supervise" -d 'Run the supervisor (what `start` spawns)'
complete -c clusterctl -n "__fish_clusterctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -l only -d 'Start only the nodes, or only the balancer' -r -f -a "nodes\t''
balancer\t''"
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -l timeout -d 'How long to wait until all nodes and the balancer serve' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -l announce -d 'At the end, answer /ready with 503 for this long before connections are refused' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -l over -d 'At the end, close the connections that are left evenly over this time' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -l foreground -d 'Stay in the foreground and log to the terminal, for systemd and containers'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stop" -l grace -d 'Time that established connections get to end by themselves' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stop" -l announce -d 'Answer /ready with 503 for this long before connections are refused' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stop" -l over -d 'Close the connections that are left evenly over this time' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stop" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stop" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stop" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stop" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stop" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stop" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stop" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l batch -d 'How many nodes are away at the same time [default: the profile\'s]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l deadline -d 'Time that connections of a drained node get, before they are closed [default: 30s]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l rolling -d 'Restart all nodes batch by batch, each drained before, so that no client is refused'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l resume -d 'Go on with a change that has stopped'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l undo -d 'Go back to what ran before the latest change'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l dry-run -d 'Show what would change and what it costs, and change nothing'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l yes -d 'Do not ask, and close connections that are left at the deadline'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l close -d 'Close the connections that are left at the deadline; else they are waited for'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand restart" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -l deadline -d 'Time that connections of a drained node get, before they are closed [default: 30s]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -l dry-run -d 'Show what would change and what it costs, and change nothing'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -l yes -d 'Do not ask, and close connections that are left at the deadline'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -l close -d 'Close the connections that are left at the deadline; else they are waited for'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -l undo -d 'Go back to what ran before the latest change'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand reload" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand scale" -l deadline -d 'Time that connections of a drained node get, before they are closed [default: 30s]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand scale" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand scale" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand scale" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand scale" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand scale" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand scale" -l dry-run -d 'Show what would change and what it costs, and change nothing'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand scale" -l yes -d 'Do not ask, and close connections that are left at the deadline'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand scale" -l close -d 'Close the connections that are left at the deadline; else they are waited for'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand scale" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand scale" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand scale" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand switch" -l deadline -d 'Close connections that are left at the former balancer after this time [default: never]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand switch" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand switch" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand switch" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand switch" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand switch" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand switch" -l dry-run -d 'Show what would change, and change nothing'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand switch" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand switch" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand switch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -l deadline -d 'Time that established connections get' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -l wait -d 'Return when the node has no connection (0), or at the deadline (1)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -l close -d 'End what is left at the deadline'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -l stop -d 'Stop the node once it has no connection'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -l force -d 'Drain it even if it is the last node that serves'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand drain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand ready" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand ready" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand ready" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand ready" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand ready" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand ready" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand ready" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand ready" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand rebalance" -l to -d 'Stop when the nodes differ by less than this: (max - min) / mean of their connections' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand rebalance" -l over -d 'Close the connections evenly over this time' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand rebalance" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand rebalance" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand rebalance" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand rebalance" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand rebalance" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand rebalance" -l streams -d 'Close WebSockets and event streams, too'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand rebalance" -l dry-run -d 'Show what would be closed, and close nothing'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand rebalance" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand rebalance" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand rebalance" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand status" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand status" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand status" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand status" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand status" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand status" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand status" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand health" -l continuous -d 'Show it repeatedly, at this interval' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand health" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand health" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand health" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand health" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand health" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand health" -l serving -d 'Exit with 0 also when degraded, while the balancer and a node serve'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand health" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand health" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stats" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stats" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stats" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stats" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stats" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stats" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stats" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l protocol -d 'What clients speak [default: the scheme of `--target`, else tcp, or http where nodes have no TCP]' -r -f -a "tcp\t''
http\t''
ws\t''
sse\t''"
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l mcp -d 'The revision of MCP that clients of `--protocol http` speak; 2026-07-28 has no sessions [default: 2025-11-25]' -r -f -a "2024-11-05\t''
2025-03-26\t''
2025-06-18\t''
2025-11-25\t''
2026-07-28\t''"
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l target -d 'Test this address instead of the cluster\'s own balancer; also `tcp://HOST:PORT`, `http://HOST:PORT/PATH` and `ws://..`' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l rate -d 'New connections per second at most [default: as many as the target accepts]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l messages-per-second -d 'Pings per second over all connections while they are held, on a schedule that does not wait for answers [default: 1000, or what the cluster\'s limits allow]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l sources -d 'Addresses of 127.0.0.0/8 that clients connect from [default: one for each]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l timeout -d 'Time limit for making a connection, and for the answer to a ping' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l failover -d 'Let this node fail in the middle of the hold, and measure when its clients are served again' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l failover-mode -d 'How it fails: its process is killed, or stopped so that it accepts and never answers' -r -f -a "kill\t''
stop\t''"
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l fail-on -d 'Also fail when latencies are not within their targets' -r -f -a "latency\t''"
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l report -d 'Also write an HTML page with charts' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l compare -d 'Test nothing; compare the results that two runs with --json have printed' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand load-test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -l timeout -d 'How long the answer may take' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -l cookie-file -d 'File with the node\'s cookie [default: the cluster\'s own, else ~/.erlang.cookie]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -l port -d 'The node\'s distribution port [default: known for this cluster\'s nodes, else from epmd]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -a "memory" -d 'Show its memory by kind'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -a "processes" -d 'Show how many processes it has, and which are the largest'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -a "ports" -d 'Show how many ports it has, by name'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -a "nodes" -d 'Show which nodes it knows'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -a "call" -d 'Call a function on it, and show the result'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and not __fish_seen_subcommand_from memory processes ports nodes call help" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from memory" -l timeout -d 'How long the answer may take' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from memory" -l cookie-file -d 'File with the node\'s cookie [default: the cluster\'s own, else ~/.erlang.cookie]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from memory" -l port -d 'The node\'s distribution port [default: known for this cluster\'s nodes, else from epmd]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from memory" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from memory" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from memory" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from memory" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from memory" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from memory" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from memory" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from memory" -s h -l help -d 'Print help'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from processes" -l timeout -d 'How long the answer may take' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from processes" -l cookie-file -d 'File with the node\'s cookie [default: the cluster\'s own, else ~/.erlang.cookie]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from processes" -l port -d 'The node\'s distribution port [default: known for this cluster\'s nodes, else from epmd]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from processes" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from processes" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from processes" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from processes" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from processes" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from processes" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from processes" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from processes" -s h -l help -d 'Print help'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from ports" -l timeout -d 'How long the answer may take' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from ports" -l cookie-file -d 'File with the node\'s cookie [default: the cluster\'s own, else ~/.erlang.cookie]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from ports" -l port -d 'The node\'s distribution port [default: known for this cluster\'s nodes, else from epmd]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from ports" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from ports" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from ports" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from ports" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from ports" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from ports" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from ports" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from ports" -s h -l help -d 'Print help'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from nodes" -l timeout -d 'How long the answer may take' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from nodes" -l cookie-file -d 'File with the node\'s cookie [default: the cluster\'s own, else ~/.erlang.cookie]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from nodes" -l port -d 'The node\'s distribution port [default: known for this cluster\'s nodes, else from epmd]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from nodes" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from nodes" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from nodes" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from nodes" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from nodes" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from nodes" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from nodes" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from nodes" -s h -l help -d 'Print help'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from call" -l timeout -d 'How long the answer may take' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from call" -l cookie-file -d 'File with the node\'s cookie [default: the cluster\'s own, else ~/.erlang.cookie]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from call" -l port -d 'The node\'s distribution port [default: known for this cluster\'s nodes, else from epmd]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from call" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from call" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from call" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from call" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from call" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from call" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from call" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from call" -s h -l help -d 'Print help'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from help" -f -a "memory" -d 'Show its memory by kind'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from help" -f -a "processes" -d 'Show how many processes it has, and which are the largest'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from help" -f -a "ports" -d 'Show how many ports it has, by name'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from help" -f -a "nodes" -d 'Show which nodes it knows'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from help" -f -a "call" -d 'Call a function on it, and show the result'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand erlang; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand logs" -s n -l lines -d 'Show the last N lines of each log' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand logs" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand logs" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand logs" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand logs" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand logs" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand logs" -s f -l follow -d 'Keep running, and show each new line'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand logs" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand logs" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand render" -s o -l output -d 'Write the files to this directory instead of printing them' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand render" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand render" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand render" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand render" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand render" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand render" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand render" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand render" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand check" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand check" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand check" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand check" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand check" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand check" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand check" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand doctor" -l connections -d 'Show what N connections need, and whether they fit, instead of the profile\'s `limits.maxconn`' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand doctor" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand doctor" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand doctor" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand doctor" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand doctor" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand doctor" -l fix -d 'Fix what can be fixed from here, and print how to undo it; needs root'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand doctor" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand doctor" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and not __fish_seen_subcommand_from list show schema help" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and not __fish_seen_subcommand_from list show schema help" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and not __fish_seen_subcommand_from list show schema help" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and not __fish_seen_subcommand_from list show schema help" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and not __fish_seen_subcommand_from list show schema help" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and not __fish_seen_subcommand_from list show schema help" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and not __fish_seen_subcommand_from list show schema help" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and not __fish_seen_subcommand_from list show schema help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and not __fish_seen_subcommand_from list show schema help" -f -a "list" -d 'List the embedded profiles'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and not __fish_seen_subcommand_from list show schema help" -f -a "show" -d 'Print a profile as it is written'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and not __fish_seen_subcommand_from list show schema help" -f -a "schema" -d 'Print the JSON schema of profiles, for editors'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and not __fish_seen_subcommand_from list show schema help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from list" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from list" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from list" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from list" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from list" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from list" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from list" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from show" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from show" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from show" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from show" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from show" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from show" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from show" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from schema" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from schema" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from schema" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from schema" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from schema" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from schema" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from schema" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from schema" -s h -l help -d 'Print help'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the embedded profiles'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print a profile as it is written'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "schema" -d 'Print the JSON schema of profiles, for editors'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand profile; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l name -d 'Its name, which clients see as serverInfo.name' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l tcp -d 'Address for MCP over TCP, newline-delimited JSON-RPC' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l http -d 'Address for MCP over HTTP' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l workers -d 'Worker threads, each with its own descriptor table [default: one per processor]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l max-connections -d 'Connections to hold at most' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l announce -d 'Answer /ready with 503 for this long before connections are refused' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l over -d 'Close the connections that are left evenly over this time' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l delay -d 'Fault injection, for drills: delay every answer, also to health checks, by this much' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l mute -d 'Fault injection, for drills: this port accepts connections and never answers' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -f -a "add" -d 'Add nodes to the running cluster'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -f -a "remove" -d 'Remove nodes from the running cluster, each drained before'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and not __fish_seen_subcommand_from add remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from add" -l address -d 'Address or host name of an external node' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from add" -l tcp-port -d 'Its port for MCP over TCP' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from add" -l http-port -d 'Its port for MCP over HTTP' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from add" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from add" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from add" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from add" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from add" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from add" -l dry-run -d 'Show what would change and what it costs, and change nothing'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from add" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from add" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -l deadline -d 'Time that connections of a drained node get, before they are closed [default: 30s]' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -l force -d 'Remove them even if no other node serves'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -l dry-run -d 'Show what would change and what it costs, and change nothing'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -l yes -d 'Do not ask, and close connections that are left at the deadline'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -l close -d 'Close the connections that are left at the deadline; else they are waited for'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add nodes to the running cluster'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove nodes from the running cluster, each drained before'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand node; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand dataplane" -l config -d 'Its configuration, as `clusterctl render builtin` prints it' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand dataplane" -l announce -d 'Answer /ready with 503 for this long before connections are refused' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand dataplane" -l over -d 'Close the connections that are left evenly over this time' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand dataplane" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand dataplane" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand dataplane" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand dataplane" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand dataplane" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand dataplane" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand dataplane" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand dataplane" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and not __fish_seen_subcommand_from systemd container help" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and not __fish_seen_subcommand_from systemd container help" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and not __fish_seen_subcommand_from systemd container help" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and not __fish_seen_subcommand_from systemd container help" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and not __fish_seen_subcommand_from systemd container help" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and not __fish_seen_subcommand_from systemd container help" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and not __fish_seen_subcommand_from systemd container help" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and not __fish_seen_subcommand_from systemd container help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and not __fish_seen_subcommand_from systemd container help" -f -a "systemd" -d 'Print a unit of systemd, or write it to a directory'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and not __fish_seen_subcommand_from systemd container help" -f -a "container" -d 'Print a Containerfile, or write it to a directory with all that it copies'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and not __fish_seen_subcommand_from systemd container help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from systemd" -l user -d 'User that runs the cluster' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from systemd" -l announce -d 'How long `/ready` answers 503 before a stop closes the listeners' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from systemd" -l over -d 'Time over which a stop closes the connections that are left' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from systemd" -s o -l output -d 'Write the unit to this directory instead of printing it' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from systemd" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from systemd" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from systemd" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from systemd" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from systemd" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from systemd" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from systemd" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from systemd" -s h -l help -d 'Print help'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from container" -l with -d 'Debian package that the image contains besides, such as `haproxy` for a switch; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from container" -l announce -d 'How long `/ready` answers 503 before a stop closes the listeners' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from container" -l over -d 'Time over which a stop closes the connections that are left' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from container" -s o -l output -d 'Write the Containerfile to this directory with all that it copies, instead of printing it' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from container" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from container" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from container" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from container" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from container" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from container" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from container" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from container" -s h -l help -d 'Print help'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "systemd" -d 'Print a unit of systemd, or write it to a directory'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "container" -d 'Print a Containerfile, or write it to a directory with all that it copies'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand export; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand completions" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand completions" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand completions" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand completions" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand completions" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand completions" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand completions" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand man" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand man" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand man" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand man" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand man" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand man" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand man" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand supervise" -l profile -d 'Profile: the name of an embedded one, or a YAML file' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand supervise" -l set -d 'Change one value of the profile, as in `--set nodes.count=2`; may be repeated' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand supervise" -l port-offset -d 'Add N to every port, to run clusters side by side' -r
complete -c clusterctl -n "__fish_clusterctl_using_subcommand supervise" -l run-dir -d 'Directory of all files that a cluster keeps on disk [default: /run/clusterctl/NAME for root]' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand supervise" -l templates -d 'Directory of templates that replace the embedded ones' -r -F
complete -c clusterctl -n "__fish_clusterctl_using_subcommand supervise" -l json -d 'Print JSON, for programs'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand supervise" -l no-color -d 'Print without colour, even on a terminal (as `NO_COLOR=1` does)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand supervise" -s h -l help -d 'Print help'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "start" -d 'Start the nodes and the balancer, and return when all of them serve'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "stop" -d 'Stop the balancer, then the nodes; leave nothing running'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "restart" -d 'Restart one node, or all of them one after another and then the balancer'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "reload" -d 'Apply the changed profile without losing a connection'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "scale" -d 'Give the running cluster another number of nodes'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "switch" -d 'Let another balancer take over without losing a connection'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "drain" -d 'Give a node no new connections or sessions; established ones stay'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "ready" -d 'Undo a drain; start the node if the drain had stopped it'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "rebalance" -d 'Close connections of nodes that hold too many, so that their clients get other nodes'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "status" -d 'Show which nodes are up, how many connections each holds, and whether that is even'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "health" -d 'Show the status with latencies, resources and alerts; once or continuously'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "stats" -d 'Show the balancer\'s own statistics'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "load-test" -d 'Open real connections, hold them, and show whether the load is even'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "erlang" -d 'Query a BEAM node: its memory, processes, ports and nodes, or any call'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "logs" -d 'Show the logs of the nodes, the balancer and the supervisor'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "render" -d 'Print the balancer\'s configuration, or write it to a directory'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "check" -d 'Check the profile, and the configuration with the balancer'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "doctor" -d 'Check this host, and show how to fix what is wrong'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "profile" -d 'List and show profiles, and print their schema'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "node" -d 'Run one MCP node alone, in the foreground; or add nodes to the cluster, and remove them'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "dataplane" -d 'Run the built-in load balancer alone, in the foreground'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "export" -d 'Print a unit of systemd, or a Containerfile, that runs the cluster'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "completions" -d 'Print completions for a shell'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "man" -d 'Print the manual page, in roff'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "supervise" -d 'Run the supervisor (what `start` spawns)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and not __fish_seen_subcommand_from start stop restart reload scale switch drain ready rebalance status health stats load-test erlang logs render check doctor profile node dataplane export completions man supervise help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and __fish_seen_subcommand_from erlang" -f -a "memory" -d 'Show its memory by kind'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and __fish_seen_subcommand_from erlang" -f -a "processes" -d 'Show how many processes it has, and which are the largest'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and __fish_seen_subcommand_from erlang" -f -a "ports" -d 'Show how many ports it has, by name'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and __fish_seen_subcommand_from erlang" -f -a "nodes" -d 'Show which nodes it knows'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and __fish_seen_subcommand_from erlang" -f -a "call" -d 'Call a function on it, and show the result'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "list" -d 'List the embedded profiles'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "show" -d 'Print a profile as it is written'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and __fish_seen_subcommand_from profile" -f -a "schema" -d 'Print the JSON schema of profiles, for editors'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and __fish_seen_subcommand_from node" -f -a "add" -d 'Add nodes to the running cluster'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and __fish_seen_subcommand_from node" -f -a "remove" -d 'Remove nodes from the running cluster, each drained before'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and __fish_seen_subcommand_from export" -f -a "systemd" -d 'Print a unit of systemd, or write it to a directory'
complete -c clusterctl -n "__fish_clusterctl_using_subcommand help; and __fish_seen_subcommand_from export" -f -a "container" -d 'Print a Containerfile, or write it to a directory with all that it copies'
