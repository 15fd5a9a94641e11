%% An MCP node: the application, and its part of the cluster's configuration.
%%
%%   mcp_node_sup (rest_for_one)
%%   |- mcp_sessions                    sessions of clients over HTTP
%%   |- mcp_mesh                        connects to the other nodes
%%   |- mcp_listener_sup, one for tcp, one for http (rest_for_one)
%%      |- mcp_connection_sup           one process for each connection
%%      `- mcp_acceptor, several        take connections and hand them over
-module(mcp_node).
-behaviour(application).

-export([start/0, name/0, here/0, members/0, env/1]).
-export([start/2, stop/1]).

-type member() :: #{name := string(),
                    tcp := {inet:ip_address(), inet:port_number()},
                    http => {inet:ip_address(), inet:port_number()}}.
-export_type([member/0]).

%% Starts the application permanently: when it ends, so does the node. If it cannot start, the node
%% logs the reason and ends.
-spec start() -> ok.
start() ->
    ok = load_all(),
    case application:ensure_all_started(mcp_node, permanent) of
        {ok, _} -> ok;
        {error, Reason} -> fail(Reason)
    end.

%% This node's name, without its host.
-spec name() -> string().
name() ->
    [Name | _] = string:split(atom_to_list(node()), "@"),
    Name.

%% This node's part of the configuration.
-spec here() -> member().
here() ->
    Name = name(),
    case [Member || #{name := Known} = Member <- members(), Known =:= Name] of
        [Member | _] -> Member;
        [] -> exit({not_configured, Name})
    end.

%% All nodes of the cluster.
-spec members() -> [member()].
members() -> env(nodes).

-spec env(atom()) -> term().
env(Key) ->
    {ok, Value} = application:get_env(mcp_node, Key),
    Value.

%% application

start(_Type, _Args) -> mcp_node_sup:start_link().

stop(_State) -> ok.

%% Private

%% Otherwise a module is loaded from a file on its first call. A node without a free descriptor
%% could not open that file, and would crash while logging.
load_all() ->
    _ = application:load(mcp_node),
    Modules = [Module || Application <- [kernel, stdlib, mcp_node],
                         {ok, Modules} <- [application:get_key(Application, modules)],
                         Module <- Modules],
    _ = code:ensure_modules_loaded(Modules),
    ok.

-spec fail(term()) -> no_return().
fail(Reason) ->
    io:format(standard_error, "cannot start: ~ts~n", [reason(Reason)]),
    erlang:halt(1, [{flush, true}]).

%% The reason for people: the address of the listener, and why it could not listen.
reason({mcp_node, {bad_return, {_, Reason}}}) -> reason(Reason);
reason({mcp_node, {{shutdown, Reason}, _}}) -> reason(Reason);
reason({shutdown, Reason}) -> reason(Reason);
reason({failed_to_start_child, _, Reason}) -> reason(Reason);
reason({cannot_listen, {Address, Port}, Reason}) ->
    io_lib:format("cannot listen on ~s:~b: ~ts", [inet:ntoa(Address), Port, inet:format_error(Reason)]);
reason({not_configured, Name}) -> io_lib:format("the configuration has no node ~ts", [Name]);
reason({'EXIT', Reason}) -> reason(Reason);
reason(Reason) -> io_lib:format("~tp", [Reason]).
