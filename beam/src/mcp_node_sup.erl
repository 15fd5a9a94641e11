%% The top supervisor of a node.
-module(mcp_node_sup).
-behaviour(supervisor).

-export([start_link/0]).
-export([init/1]).

start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).

init([]) ->
    mcp_places:new(mcp_node:env(maxconn)),
    Here = mcp_node:here(),
    Workers = [#{id => Module, start => {Module, start_link, []}} || Module <- [mcp_sessions, mcp_mesh]],
    Listeners = [#{id => Protocol, start => {mcp_listener_sup, start_link, [Module, Address]}, type => supervisor}
                 || {Protocol, Module} <- [{tcp, mcp_tcp}, {http, mcp_http}],
                    {ok, Address} <- [maps:find(Protocol, Here)]],
    {ok, {#{strategy => rest_for_one, intensity => 5, period => 10}, Workers ++ Listeners}}.
