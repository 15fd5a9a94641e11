%% The listener of an erlmcp node: MCP over TCP, one JSON-RPC message per line.
%%
%% erlmcp's own listener accepts and never answers: its handler waits in `init/1` for a handshake
%% that ranch gives only after `init/1`. So this one replaces it. Every connection gets its own
%% `erlmcp_server`, because a server has one client; to erlmcp a connection is a transport:
%%
%%   client ── line ──▶ connection ── {mcp_message, Id, Line} ──▶ erlmcp_server
%%   client ◀─ line ─── connection ◀─ {mcp_response, _, Line} ─── erlmcp_registry, by the name {mcp, transport, Id}
%%
%% A connection has no server before its first line.
-module(clusterctl_door).
-export([open/3, open/4]).

%% The limit of erlmcp itself.
-define(LONGEST_LINE, 16#1000000).
-define(ACCEPTORS, 16).
-define(BACKLOG, 4096).
%% How many parts of lines are read at a time.
-define(BUFFER, 8192).
-define(SEND_TIMEOUT, 30000).

%% Starts erlmcp and listens. Clients find an MCP server with the name `Name`.
open(Name, Address, Port) ->
    open(Name, Address, Port, fun(_Server) -> ok end).

%% Starts erlmcp and listens, and calls `Furnish` for each new server, to add tools and resources to
%% it.
open(Name, Address, Port, Furnish) ->
    start(),
    {ok, Ip} = inet:parse_address(Address),
    Service = {unicode:characters_to_binary(Name), Furnish},
    Opener = self(),
    {Door, Monitor} = spawn_monitor(fun() -> listen(Opener, Ip, Port, Service) end),
    receive
        {Door, listening} ->
            erlang:demonitor(Monitor, [flush]),
            %% A node that clients cannot reach must count as dead.
            spawn(fun() -> watch(Door) end),
            say("~ts listens on ~ts:~b", [Name, Address, Port]);
        {Door, Reason} ->
            fail("cannot listen on ~ts:~b: ~ts", [Address, Port, inet:format_error(Reason)]);
        {'DOWN', Monitor, process, Door, Reason} ->
            fail("cannot listen on ~ts:~b: ~0tp", [Address, Port, Reason])
    end.

%% Private

%% Starts as much of erlmcp as possible. Several of its published versions lack parts that their own
%% supervisors require; the servers work without them, and need only a process that passes their
%% answers on.
start() ->
    App = case [A || A <- [erlmcp_core, erlmcp], code:where_is_file(atom_to_list(A) ++ ".app") =/= non_existing] of
        [Found | _] -> Found;
        [] -> fail("no application `erlmcp_core` or `erlmcp` on the code path", [])
    end,
    case application:ensure_all_started(App) of
        {ok, _} -> ok;
        {error, {Culprit, Reason}} ->
            say("warning: `~ts` does not start: `~ts`: ~ts~nwarning: its servers run without it",
                [App, Culprit, why(Reason)]),
            case application:ensure_all_started(gproc) of
                {ok, _} -> spawn(fun pass_answers_on/0);
                {error, {_, Lacking}} -> fail("cannot start `gproc`: ~ts", [why(Lacking)])
            end
    end,
    %% They use these, and do not declare them.
    _ = application:ensure_all_started(telemetry),
    Missing = [M || M <- [erlmcp_server, erlmcp_registry, gproc], code:ensure_loaded(M) =/= {module, M}],
    Missing =:= [] orelse fail("erlmcp lacks modules that a server needs: ~0tp", [Missing]),
    %% Its answer to `initialize` has the version of an application called `erlmcp`, which no longer
    %% exists.
    _ = application:load(App),
    case application:load(erlmcp) of
        {error, {"no such file or directory", _}} ->
            Version = case application:get_key(App, vsn) of {ok, Known} -> Known; undefined -> "0" end,
            ok = application:load({application, erlmcp, [{vsn, Version}, {applications, [kernel, stdlib]}]});
        _ -> ok
    end.

%% Replaces erlmcp's registry.
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

%% Starts what all servers use: otherwise the first server would start it, and all others would end
%% with that one.
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
        %% No descriptor is free, or the client left before it was accepted.
        {error, Reason} when Reason =/= closed ->
            timer:sleep(50),
            accept(Listener, Service)
    end.

watch(Door) ->
    Monitor = erlang:monitor(process, Door),
    receive {'DOWN', Monitor, process, Door, Reason} -> fail("the listener has ended: ~0tp", [Reason]) end.

%% One connection. `Parts` are the parts of an incomplete line, the last one first, `Size` bytes in
%% all.
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

%% A line goes to the connection's server, which the first line starts.
said(<<>>, _, Server) ->
    Server;
said(Line, {_, Furnish} = Service, none) ->
    Id = integer_to_binary(erlang:unique_integer([positive])),
    true = gproc:reg({n, l, {mcp, transport, Id}}),
    %% Server and connection are linked: if one dies, so does the other.
    {ok, Server} = erlmcp_server:start_link(Id, #{}),
    %% Registers the connection, so that notifications of its server reach the client.
    _ = erlmcp_registry:register_server(Id, Server, #{}),
    _ = erlmcp_registry:bind_transport_to_server(Id, Id),
    Furnish(Server),
    said(Line, Service, {nameless, Server, Id});
said(Line, _, {_, Server, Id} = Known) ->
    Server ! {mcp_message, Id, Line},
    Known.

%% erlmcp calls every server `erlmcp`: in its answer to `initialize` the node's name replaces that.
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

%% The reason why an application does not start, without the wrapping terms of its supervisors.
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
