%% Connects this node to the others of its cluster, and again to those that return. mcp_epmd knows
%% their names.
-module(mcp_mesh).
-behaviour(gen_server).

-export([start/0, start_link/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

%% Time between two checks for missing nodes, in milliseconds.
-define(LOOK, 1000).

%% For `erl -run mcp_mesh`, on nodes without the supervisor of mcp_node.
start() -> gen_server:start({local, ?MODULE}, ?MODULE, [], []).

start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% gen_server

init([]) ->
    case is_alive() of
        true ->
            self() ! look,
            {ok, others()};
        false ->
            ignore
    end.

handle_call(_Unknown, _From, Others) -> {noreply, Others}.

handle_cast(_Unknown, Others) -> {noreply, Others}.

handle_info(look, Others) ->
    _ = [net_kernel:connect_node(Node) || Node <- Others -- nodes()],
    erlang:send_after(?LOOK, self(), look),
    {noreply, Others};
handle_info(_Unknown, Others) -> {noreply, Others}.

%% Private

%% The names come from the command line: no atom comes from the network.
others() ->
    [_, Host] = string:split(atom_to_list(node()), "@"),
    {ok, Names} = mcp_epmd:names(Host),
    [list_to_atom(Name ++ "@" ++ Host) || {Name, _Port} <- Names] -- [node()].
