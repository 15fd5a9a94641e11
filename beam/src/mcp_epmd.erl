%% Knows the port of each node, in place of epmd: no extra process runs beside the nodes, no port is
%% open on every address, and two clusters may have nodes with the same names.
%%
%% `erl -start_epmd false -epmd_module mcp_epmd -mcp_port erlmcp1 9101 -mcp_port erlmcp2 9102 ..`
-module(mcp_epmd).

-export([start_link/0, register_node/2, register_node/3, listen_port_please/2, port_please/2, port_please/3,
         address_please/3, names/1]).

%% The version of the distribution protocol, since OTP 23.
-define(VERSION, 6).

start_link() -> ignore.

register_node(Name, Port) -> register_node(Name, Port, inet).

%% A restarted node is a different node: it has another creation.
register_node(_Name, _Port, _Family) -> {ok, 3 + rand:uniform(16#fffffff0)}.

listen_port_please(Name, _Host) ->
    case port(Name) of
        {ok, Port} -> {ok, Port};
        unknown -> {ok, 0}
    end.

port_please(Name, Host) -> port_please(Name, Host, infinity).

port_please(Name, _Host, _Timeout) ->
    case port(Name) of
        {ok, Port} -> {port, Port, ?VERSION};
        unknown -> noport
    end.

address_please(Name, _Host, _Family) ->
    case port(Name) of
        {ok, Port} -> {ok, {127, 0, 0, 1}, Port, ?VERSION};
        unknown -> {error, nxdomain}
    end.

names(_Host) -> {ok, ports()}.

%% Private

port(Name) ->
    case lists:keyfind(to_list(Name), 1, ports()) of
        {_, Port} -> {ok, Port};
        false -> unknown
    end.

ports() ->
    case init:get_argument(mcp_port) of
        {ok, Arguments} -> [{Name, list_to_integer(Port)} || [Name, Port] <- Arguments];
        error -> []
    end.

to_list(Name) when is_atom(Name) -> atom_to_list(Name);
to_list(Name) -> Name.
