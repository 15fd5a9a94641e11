%% One listener: its socket, those who accept on it, and the connections that they have accepted.
-module(mcp_listener_sup).
-behaviour(supervisor).

-export([start_link/2]).
-export([init/1]).

%% Two for each scheduler that most machines have: accepting is never what a client waits for.
-define(ACCEPTORS, 16).
%% What the kernel keeps for us meanwhile.
-define(BACKLOG, 4096).
%% How long a client may refuse to take what it has asked for, in milliseconds.
-define(SEND_TIMEOUT, 30000).

%% Listens at Address; each connection becomes a process of Module.
-spec start_link(module(), {inet:ip_address(), inet:port_number()}) -> supervisor:startlink_ret().
start_link(Module, Address) -> supervisor:start_link(?MODULE, {Module, Address}).

%% The supervisor owns the socket: it is closed with it, and with nothing less.
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
