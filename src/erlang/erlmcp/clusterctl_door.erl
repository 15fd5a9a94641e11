%% The front door of an erlmcp node: MCP over TCP, one JSON-RPC message a line.
%%
%% erlmcp's own listener accepts and never answers: its handler waits in `init/1` for a handshake that ranch gives only
%% after `init/1`. So this one takes its place. Every connection gets an `erlmcp_server` of its own, since one of those
%% knows one client, and is to erlmcp what a transport is:
%%
%%   client ── line ──▶ connection ── {mcp_message, Id, Line} ──▶ erlmcp_server
%%   client ◀─ line ─── connection ◀─ {mcp_response, _, Line} ─── erlmcp_registry, by the name {mcp, transport, Id}
%%
%% A connection that says nothing has no server yet.
-module(clusterctl_door).
-export([open/3, open/4]).

%% erlmcp's own limit.
-define(LONGEST_LINE, 16#1000000).
-define(ACCEPTORS, 16).
-define(BACKLOG, 4096).
%% Parts of lines that are read at a time.
-define(BUFFER, 8192).
-define(SEND_TIMEOUT, 30000).

%% Starts erlmcp and listens. Whoever connects finds an MCP server that is called `Name`.
open(Name, Address, Port) ->
    open(Name, Address, Port, fun(_Server) -> ok end).

%% The same, with `Furnish` called for each new server, to add tools and resources to it.
open(Name, Address, Port, Furnish) ->
    start(),
    {ok, Ip} = inet:parse_address(Address),
    Service = {unicode:characters_to_binary(Name), Furnish},
    Opener = self(),
    {Door, Monitor} = spawn_monitor(fun() -> listen(Opener, Ip, Port, Service) end),
    receive
        {Door, listening} ->
            erlang:demonitor(Monitor, [flush]),
            %% A node that nobody can reach is to be seen as dead.
            spawn(fun() -> watch(Door) end),
            say("~ts listens on ~ts:~b", [Name, Address, Port]);
        {Door, Reason} ->
            fail("cannot listen on ~ts:~b: ~ts", [Address, Port, inet:format_error(Reason)]);
        {'DOWN', Monitor, process, Door, Reason} ->
            fail("cannot listen on ~ts:~b: ~0tp", [Address, Port, Reason])
    end.

%% Private

%% Starts erlmcp, as far as it goes. Several of its published versions lack parts that their own supervisors want; the
%% servers do without them, and need only somebody who passes their answers on.
start() ->
    App = case [A || A <- [erlmcp_core, erlmcp], code:where_is_file(atom_to_list(A) ++ ".app") =/= non_existing] of
        [Found | _] -> Found;
        [] -> fail("no application `erlmcp_core` or `erlmcp` on the code path", [])
    end,
    case application:ensure_all_started(App) of
        {ok, _} -> ok;
        {error, {Culprit, Reason}} ->
            say("warning: `~ts` does not start: `~ts`: ~ts~nwarning: its servers run without the rest of it",
                [App, Culprit, why(Reason)]),
            case application:ensure_all_started(gproc) of
                {ok, _} -> spawn(fun pass_answers_on/0);
                {error, {_, Lacking}} -> fail("cannot start `gproc`: ~ts", [why(Lacking)])
            end
    end,
    %% Which they use, and do not ask for.
    _ = application:ensure_all_started(telemetry),
    Missing = [M || M <- [erlmcp_server, erlmcp_registry, gproc], code:ensure_loaded(M) =/= {module, M}],
    Missing =:= [] orelse fail("erlmcp lacks what a server needs: ~0tp", [Missing]),
    %% Its answer to `initialize` has the version of an application called `erlmcp`, which there is no more.
    _ = application:load(App),
    case application:load(erlmcp) of
        {error, {"no such file or directory", _}} ->
            Version = case application:get_key(App, vsn) of {ok, Known} -> Known; undefined -> "0" end,
            ok = application:load({application, erlmcp, [{vsn, Version}, {applications, [kernel, stdlib]}]});
        _ -> ok
    end.

%% Stands in for erlmcp's registry.
pass_answers_on() ->
    register(erlmcp_registry, self()),
    pass_on().

pass_on() ->
    receive
        {'$gen_cast', {route_to_transport, broadcast, Id, Answer}} -> pass_on(Id, Answer);
        {'$gen_cast', {route_to_transport, Id, _, Answer}} -> pass_on(Id, Answer);
        {'$gen_call', From, _} -> gen_server:reply(From, ok);
        _ -> ok
    end,
    pass_on().

pass_on(Id, Answer) ->
    case gproc:where({n, l, {mcp, transport, Id}}) of
        undefined -> ok;
        Connection -> Connection ! {mcp_response, Id, Answer}
    end.

listen(Opener, Ip, Port, Service) ->
    Family = case Ip of {_, _, _, _} -> inet; _ -> inet6 end,
    Options = [binary, Family, {ip, Ip}, {packet, line}, {buffer, ?BUFFER}, {active, false}, {reuseaddr, true},
               {nodelay, true}, {backlog, ?BACKLOG}, {send_timeout, ?SEND_TIMEOUT}, {send_timeout_close, true}],
    case gen_tcp:listen(Port, Options) of
        {ok, Listener} ->
            share(),
            [spawn_link(fun() -> accept(Listener, Service) end) || _ <- lists:seq(1, ?ACCEPTORS)],
            Opener ! {self(), listening},
            receive after infinity -> ok end;
        {error, Reason} ->
            Opener ! {self(), Reason}
    end.

%% What all servers use and the first of them would start: with that one, all others would end.
share() ->
    Notifier = erlmcp_change_notifier,
    case code:ensure_loaded(Notifier) =:= {module, Notifier} andalso whereis(Notifier) =:= undefined of
        true -> _ = Notifier:start_link();
        false -> ok
    end.

accept(Listener, Service) ->
    case gen_tcp:accept(Listener) of
        {ok, Socket} ->
            Connection = spawn(fun() -> receive go -> serve(Socket, Service, none, [], 0) end end),
            case gen_tcp:controlling_process(Socket, Connection) of
                ok -> Connection ! go;
                {error, _} -> exit(Connection, kill)
            end,
            accept(Listener, Service);
        %% Out of descriptors, or gone before it was accepted.
        {error, Reason} when Reason =/= closed ->
            timer:sleep(50),
            accept(Listener, Service)
    end.

watch(Door) ->
    Monitor = erlang:monitor(process, Door),
    receive {'DOWN', Monitor, process, Door, Reason} -> fail("the listener is gone: ~0tp", [Reason]) end.

%% One connection. `Parts` are of a line that is not whole yet, the last one first, `Size` bytes in all.
serve(Socket, Service, Server, Parts, Size) ->
    inet:setopts(Socket, [{active, once}]),
    receive
        {tcp, Socket, Part} when Size + byte_size(Part) > ?LONGEST_LINE ->
            gen_tcp:close(Socket);
        {tcp, Socket, Part} ->
            case binary:last(Part) of
                $\n ->
                    Line = string:trim(iolist_to_binary(lists:reverse(Parts, [Part]))),
                    serve(Socket, Service, said(Line, Service, Server), [], 0);
                _ ->
                    serve(Socket, Service, Server, [Part | Parts], Size + byte_size(Part))
            end;
        {mcp_response, _, Answer} ->
            {Line, Known} = named(iolist_to_binary(Answer), Service, Server),
            case gen_tcp:send(Socket, [Line, $\n]) of
                ok -> serve(Socket, Service, Known, Parts, Size);
                {error, _} -> gen_tcp:close(Socket)
            end;
        {tcp_closed, Socket} -> ok;
        {tcp_error, Socket, _} -> gen_tcp:close(Socket)
    end.

%% A line goes to the connection's server, which the first one brings into being.
said(<<>>, _, Server) ->
    Server;
said(Line, {_, Furnish} = Service, none) ->
    Id = integer_to_binary(erlang:unique_integer([positive])),
    true = gproc:reg({n, l, {mcp, transport, Id}}),
    %% Whoever dies takes the other with it.
    {ok, Server} = erlmcp_server:start_link(Id, #{}),
    %% So that what a server tells everybody who is bound to it reaches its client.
    _ = erlmcp_registry:register_server(Id, Server, #{}),
    _ = erlmcp_registry:bind_transport_to_server(Id, Id),
    Furnish(Server),
    said(Line, Service, {nameless, Server, Id});
said(Line, _, {_, Server, Id} = Known) ->
    Server ! {mcp_message, Id, Line},
    Known.

%% erlmcp calls every server `erlmcp`: in its answer to `initialize` that becomes the node's name.
named(Answer, {Name, _}, {nameless, Server, Id} = Known) ->
    Pattern = <<"(\"serverInfo\"\\s*:\\s*\\{[^{}]*\"name\"\\s*:\\s*\")[^\"]*">>,
    case re:run(Answer, Pattern, [{capture, all, index}]) of
        {match, [{Start, Length}, {_, Kept}]} ->
            <<Before:(Start + Kept)/binary, _:(Length - Kept)/binary, After/binary>> = Answer,
            {[Before, Name, After], {named, Server, Id}};
        nomatch -> {Answer, Known}
    end;
named(Answer, _, Known) ->
    {Answer, Known}.

%% Why an application does not start, without what surrounds it: supervisors tell it in each other's words.
why({Reason, {_, start, [normal | _]}}) -> why(Reason);
why({bad_return, {_, Reason}}) -> why(Reason);
why({shutdown, Reason}) -> why(Reason);
why({failed_to_start_child, Child, Reason}) -> io_lib:format("~0tp: ~ts", [Child, why(Reason)]);
why({'EXIT', {undef, [{Module, Function, Arguments, _} | _]}}) ->
    io_lib:format("there is no ~ts:~ts/~b", [Module, Function, length(Arguments)]);
why({"no such file or directory", File}) -> io_lib:format("there is no ~ts", [File]);
why({Reason, [{Module, Function, _, _} | _]}) -> io_lib:format("~0tP in ~ts:~ts", [Reason, 30, Module, Function]);
why(Reason) -> io_lib:format("~0tP", [Reason, 30]).

fail(Format, Arguments) ->
    say("error: " ++ Format, Arguments),
    erlang:halt(1).

say(Format, Arguments) ->
    io:format(standard_error, Format ++ "~n", Arguments).
