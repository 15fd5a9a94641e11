%% One listener: its socket, its acceptors, and the connections that they have accepted.
-module(mcp_listener_sup).
-behaviour(supervisor).

-export([start_link/2]).
-export([init/1]).

%% Two for each scheduler of most machines: clients never wait for an acceptor.
-define(ACCEPTORS, 16).
%% The length of the kernel's accept queue.
-define(BACKLOG, 4096).
%% How long a client may refuse to read its answers, in milliseconds.
-define(SEND_TIMEOUT, 30000).

%% Listens at Address; each connection becomes a process of Module.
-spec start_link(module(), {inet:ip_address(), inet:port_number()}) -> supervisor:startlink_ret().
start_link(Module, Address) -> supervisor:start_link(?MODULE, {Module, Address}).

%% The supervisor owns the socket, which therefore stays open until the supervisor ends.
init({Module, {Ip, Port} = Address}) ->
    Options = [binary, family(Ip), {ip, Ip}, {active, false}, {reuseaddr, true}, {backlog, ?BACKLOG},
               {nodelay, true}, {keepalive, true}, {send_timeout, ?SEND_TIMEOUT}, {send_timeout_close, true}
               | Module:socket_options()],
    case gen_tcp:listen(Port, Options) of
        {ok, Listener} ->
            Connections = #{id => connections,
                            start => {mcp_connection_sup, start_link, [Module]},
                            type => supervisor},
            Acceptors = [#{id => {acceptor, Number}, start => {mcp_acceptor, start_link, [Listener, self()]}}
                         || Number <- lists:seq(1, ?ACCEPTORS)],
            {ok, {#{strategy => rest_for_one, intensity => 10, period => 10}, [Connections | Acceptors]}};
        {error, Reason} ->
            exit({cannot_listen, Address, Reason})
    end.

%% Private

family({_, _, _, _}) -> inet;
family(_) -> inet6.
