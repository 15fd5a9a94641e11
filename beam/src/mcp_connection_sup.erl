%% The connections of one listener. A connection that ends is not restarted; its client may
%% reconnect.
-module(mcp_connection_sup).
-behaviour(supervisor).

-export([start_link/1, beside/1]).
-export([init/1]).

-spec start_link(module()) -> supervisor:startlink_ret().
start_link(Module) -> supervisor:start_link(?MODULE, Module).

%% The supervisor of the connections of the listener that Listener supervises.
-spec beside(pid()) -> pid().
beside(Listener) ->
    {connections, Pid, _, _} = lists:keyfind(connections, 1, supervisor:which_children(Listener)),
    Pid.

init(Module) ->
    mcp_places:clear(Module),
    Connection = #{id => connection, start => {Module, start_link, []}, restart => temporary, shutdown => 1000},
    {ok, {#{strategy => simple_one_for_one, intensity => 0, period => 1}, [Connection]}}.
