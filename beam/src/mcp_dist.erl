%% The distribution over TCP, as in OTP, with a check of each peer before OTP handles it. Every user
%% of this machine can connect, and OTP 25 makes an atom of the peer's name before it checks the
%% cookie: a name that is too long crashes the whole node, and so do too many atoms. The node also
%% crashes if a connection cannot be accepted because no descriptor is free.
%%
%% `erl -proto_dist mcp`
%%
%% net_kernel and the acceptor exchange the messages of the documentation of alternative carriers:
%% {accept, ..} to it, {Kernel, controller, Pid} back, {self(), controller} to the accepting
%% process.
-module(mcp_dist).

-export([listen/1, listen/2, accept/1, accept_connection/5, setup/5, close/1, select/1, address/0, is_node_name/1,
         setopts/2, getopts/2]).
-export([accept_all/2, look/1]).

%% How long the first packet may take, in milliseconds: as long as OTP waits for it.
-define(PATIENCE, 7000).
%% The pause when no descriptor is free.
-define(PAUSE, 50).
%% The longest name, in bytes: with the prefix that OTP may add, it must fit into an atom.
-define(MAX_NAME, 200).
%% The most peers that have not sent anything yet: each has a descriptor.
-define(MAX_SILENT, 64).
%% The most names that are new to this node.
-define(MAX_STRANGERS, 1000).

listen(Name) -> inet_tcp_dist:listen(Name).

listen(Name, Host) -> inet_tcp_dist:listen(Name, Host).

accept_connection(Acceptor, Socket, Node, Allowed, SetupTime) ->
    inet_tcp_dist:accept_connection(Acceptor, Socket, Node, Allowed, SetupTime).

setup(Node, Type, Here, LongOrShort, SetupTime) -> inet_tcp_dist:setup(Node, Type, Here, LongOrShort, SetupTime).

close(Socket) -> inet_tcp_dist:close(Socket).

select(Node) -> inet_tcp_dist:select(Node).

address() -> inet_tcp_dist:address().

is_node_name(Node) -> inet_tcp_dist:is_node_name(Node).

setopts(Socket, Options) -> inet_tcp_dist:setopts(Socket, Options).

getopts(Socket, Options) -> inet_tcp_dist:getopts(Socket, Options).

accept(Listener) ->
    persistent_term:put(?MODULE, counters:new(2, [atomics])),
    spawn_opt(?MODULE, accept_all, [self(), Listener], [link, {priority, max}]).

%% Private

accept_all(Kernel, Listener) ->
    case inet_tcp:accept(Listener) of
        {ok, Socket} ->
            case count(silent, 1) =< ?MAX_SILENT of
                true ->
                    Looker = spawn(?MODULE, look, [Kernel]),
                    _ = inet_tcp:controlling_process(Socket, Looker),
                    Looker ! {self(), Socket};
                false ->
                    _ = count(silent, -1),
                    inet_tcp:close(Socket)
            end;
        {error, closed} -> exit(closed);
        {error, _} -> timer:sleep(?PAUSE)
    end,
    ?MODULE:accept_all(Kernel, Listener).

%% Peeks at the first bytes. Nothing is lost: what was read is put back.
look(Kernel) ->
    receive {_Acceptor, Socket} ->
        Said = inet_tcp:recv(Socket, 0, ?PATIENCE),
        _ = count(silent, -1),
        judge(Said, Kernel, Socket)
    end.

judge({ok, Packet}, Kernel, Socket) ->
    First = iolist_to_binary(Packet),
    case is_harmless(First) of
        true ->
            ok = inet_tcp:unrecv(Socket, [<<(byte_size(First)):16>>, First]),
            hand_over(Kernel, Socket);
        false -> inet_tcp:close(Socket)
    end;
judge({error, _}, _Kernel, Socket) -> inet_tcp:close(Socket).

hand_over(Kernel, Socket) ->
    Kernel ! {accept, self(), Socket, inet, tcp},
    receive
        {Kernel, controller, Handshake} ->
            _ = inet_tcp:controlling_process(Socket, Handshake),
            Handshake ! {self(), controller};
        {Kernel, unsupported_protocol} -> exit(unsupported_protocol)
    end.

%% A handshake begins with one of two messages, the older or the newer one.
is_harmless(<<$n, _Version:16, _Flags:32, Name/binary>>) -> is_name(Name) andalso is_welcome(Name);
is_harmless(<<$N, _Flags:64, _Creation:32, Size:16, Name:Size/binary, _/binary>>) ->
    is_name(Name) andalso is_welcome(Name);
is_harmless(_) -> false.

is_name(Name) -> byte_size(Name) =< ?MAX_NAME andalso << <<C>> || <<C>> <= Name, C > $\s, C < 127 >> =:= Name.

%% Members are always welcome, and so are names that were here before.
is_welcome(Name) ->
    try is_atom(binary_to_existing_atom(Name))
    catch error:badarg ->
        Count = count(strangers, 1),
        _ = [logger:warning("nodes with new names are refused from now on: there were ~b", [?MAX_STRANGERS])
             || Count =:= ?MAX_STRANGERS + 1],
        Count =< ?MAX_STRANGERS
    end.

count(What, Added) ->
    Counts = persistent_term:get(?MODULE),
    Index = case What of strangers -> 1; silent -> 2 end,
    counters:add(Counts, Index, Added),
    counters:get(Counts, Index).
