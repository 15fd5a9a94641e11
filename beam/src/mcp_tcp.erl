%% One client over TCP: a message per line, in both directions.
-module(mcp_tcp).
-behaviour(gen_server).

-export([start_link/0, socket_options/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

%% The longest message that is read, in bytes.
-define(MAX_MESSAGE, 16#1000000).
%% How long a client that is refused within a message gets to read the reason, in milliseconds.
-define(LINGER, 1000).

-record(client, {socket :: gen_tcp:socket() | undefined,
                 place = none :: mcp_places:place(),
                 %% Whether it got the reason why no more of its input is read.
                 is_refused = false :: boolean(),
                 %% The parts of an incomplete message, the last one first, and their size.
                 parts = [] :: [binary()],
                 size = 0 :: non_neg_integer()}).

%% It hibernates when it has nothing to do: most clients are idle most of the time.
start_link() -> gen_server:start_link(?MODULE, [], [{hibernate_after, mcp_node:env(idle_after)}]).

%% A client that has closed its sending side still gets its answers.
socket_options() -> [{packet, raw}, {exit_on_close, false}].

%% gen_server

init([]) -> {ok, #client{}}.

handle_info({serve, Socket}, Client) ->
    Placed = Client#client{socket = Socket, place = mcp_places:take(?MODULE)},
    case Placed#client.place of
        place -> read_on(Placed);
        _ -> refuse(Placed, unavailable, "too many connections")
    end;
handle_info({tcp, _Socket, _Late}, #client{is_refused = true} = Client) -> read_on(Client);
handle_info({tcp, _Socket, Data}, Client) -> receive_data(Data, Client);
handle_info({tcp_closed, _Socket}, Client) ->
    say_last(Client),
    {stop, normal, Client};
handle_info({tcp_error, _Socket, _Reason}, Client) -> {stop, normal, Client};
handle_info(timeout, Client) -> {stop, normal, Client};
handle_info(_Unknown, Client) -> {noreply, Client}.

handle_call(_Unknown, _From, Client) -> {noreply, Client}.

handle_cast(_Unknown, Client) -> {noreply, Client}.

terminate(_Reason, #client{place = Place}) -> mcp_places:leave(?MODULE, Place).

%% Private

%% The last line is a message, too, even without a line end.
say_last(#client{socket = Socket, parts = [_ | _] = Parts}) ->
    _ = [gen_tcp:send(Socket, [Answer, $\n]) || Answer <- answer(iolist_to_binary(lists:reverse(Parts)))],
    ok;
say_last(_Client) -> ok.

receive_data(Data, #client{parts = Parts, size = Size} = Client) ->
    case binary:split(Data, <<"\n">>, [global]) of
        [Part] when Size + byte_size(Part) > ?MAX_MESSAGE ->
            too_long(Client);
        [Part] ->
            read_on(Client#client{parts = [Part | Parts], size = Size + byte_size(Part)});
        [End | _] when Size + byte_size(End) > ?MAX_MESSAGE ->
            too_long(Client);
        [End | Lines] ->
            First = iolist_to_binary(lists:reverse(Parts, [End])),
            {Whole, [Rest]} = lists:split(length(Lines) - 1, Lines),
            %% While a client does not take its answers, its input is not read.
            Answers = [[Answer, $\n] || Line <- [First | Whole], Answer <- answer(Line)],
            send(Answers, Client#client{parts = [binary:copy(Rest) || Rest =/= <<>>], size = byte_size(Rest)})
    end.

answer(Line) ->
    case is_blank(Line) orelse mcp_rpc:answer(Line) of
        true -> [];
        nothing -> [];
        {_Kind, Answer} -> [Answer]
    end.

is_blank(<<C, Rest/binary>>) when C =:= $\s; C =:= $\t; C =:= $\r -> is_blank(Rest);
is_blank(Line) -> Line =:= <<>>.

send([], Client) -> read_on(Client);
send(Answers, #client{socket = Socket} = Client) ->
    case gen_tcp:send(Socket, Answers) of
        ok -> read_on(Client);
        {error, _Gone} -> {stop, normal, Client}
    end.

read_on(#client{socket = Socket} = Client) ->
    case inet:setopts(Socket, [{active, once}]) of
        ok -> {noreply, Client};
        {error, _Gone} -> {stop, normal, Client}
    end.

too_long(Client) ->
    refuse(Client, invalid_request, io_lib:format("a message of more than ~b bytes", [?MAX_MESSAGE])).

%% Sends a client the reason why it is not served, and waits until it has read it, if there is a
%% place to wait.
refuse(#client{socket = Socket, place = Place} = Client, Code, Why) ->
    _ = gen_tcp:send(Socket, [mcp_rpc:refusal(Code, Why), $\n]),
    _ = gen_tcp:shutdown(Socket, write),
    Refused = Client#client{is_refused = true, parts = [], size = 0},
    case Place of
        none -> {stop, normal, Refused};
        _ ->
            erlang:send_after(?LINGER, self(), timeout),
            read_on(Refused)
    end.
