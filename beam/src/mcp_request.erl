%% Reads requests of HTTP/1.1. All input is limited: its lines, their number, their bytes and the
%% time that they take. Erlang itself closes a connection with a longer line, without an answer.
-module(mcp_request).

-export([head/2, body/2, header/2, has_header/2, has_body/1, is_last/1, socket_options/0, lower/1]).

-type request() :: #{method := atom() | binary(), path := binary(), version := {integer(), integer()},
                     headers := #{binary() => binary()}}.
-type refusal() :: {refused, Status :: 400..599, Why :: iodata()}.
-export_type([request/0, refusal/0]).

%% The longest line, the most bytes of all headers, and the most headers.
-define(MAX_LINE, 16384).
-define(MAX_HEADER, 65536).
-define(MAX_LINES, 100).
%% The longest message, in bytes, and how much of it is read at a time: Erlang allocates that before
%% it arrives.
-define(MAX_MESSAGE, 16#1000000).
-define(PART, 65536).
%% The most digits of a size.
-define(MAX_DIGITS, 20).
%% The time for a body, in milliseconds.
-define(BODY_TIMEOUT, 30000).

socket_options() -> [{packet, http_bin}, {packet_size, ?MAX_LINE}, {recbuf, ?MAX_LINE}].

%% The next request, without its body. Timeout applies until it begins, and again until its header
%% is complete.
-spec head(gen_tcp:socket(), pos_integer()) -> {ok, request()} | refusal() | gone.
head(Socket, Timeout) ->
    _ = inet:setopts(Socket, [{packet, http_bin}]),
    case gen_tcp:recv(Socket, 0, Timeout) of
        {ok, {http_request, Method, Target, {1, _} = Version}} ->
            Request = #{method => Method, path => path(Target), version => Version, headers => #{}},
            lines(Socket, Request, ?MAX_LINES, ?MAX_HEADER, deadline(Timeout));
        {ok, {http_request, _, _, _}} -> {refused, 505, "only HTTP/1.1 here"};
        %% An empty line between two requests.
        {ok, {http_error, <<"\r\n">>}} -> head(Socket, Timeout);
        {ok, {http_error, _}} -> {refused, 400, "not an HTTP request"};
        {error, _} -> gone
    end.

%% The body of this request.
-spec body(gen_tcp:socket(), request()) -> {ok, binary()} | refusal().
body(Socket, #{headers := Headers}) ->
    case Headers of
        #{<<"transfer-encoding">> := _, <<"content-length">> := _} ->
            {refused, 400, "both Transfer-Encoding and Content-Length"};
        #{<<"transfer-encoding">> := Coding} ->
            case lower(Coding) of
                <<"chunked">> ->
                    go_on(Socket, Headers),
                    chunks(Socket, <<>>, deadline(?BODY_TIMEOUT));
                _ -> {refused, 501, "Transfer-Encoding: not chunked"}
            end;
        #{<<"content-length">> := Text} ->
            case natural(Text) of
                none -> {refused, 400, "Content-Length: not a number"};
                Size when Size > ?MAX_MESSAGE -> too_large();
                Size ->
                    go_on(Socket, Headers),
                    bytes(Socket, Size, [], deadline(?BODY_TIMEOUT))
            end;
        #{} -> {refused, 411, "a body needs a Content-Length"}
    end.

%% The value of a header; empty if it is missing.
-spec header(binary(), request()) -> binary().
header(Name, #{headers := Headers}) -> maps:get(Name, Headers, <<>>).

-spec has_header(binary(), request()) -> boolean().
has_header(Name, #{headers := Headers}) -> is_map_key(Name, Headers).

%% Whether a body follows, with a valid description or not.
-spec has_body(request()) -> boolean().
has_body(Request) ->
    has_header(<<"transfer-encoding">>, Request) orelse header(<<"content-length">>, Request) > <<"0">>.

%% Whether the client wants no further answer on this connection.
-spec is_last(request()) -> boolean().
is_last(#{version := {1, 1}} = Request) ->
    Options = binary:split(lower(header(<<"connection">>, Request)), [<<",">>, <<" ">>], [global]),
    lists:member(<<"close">>, Options);
is_last(_Request) -> true.

%% Lower case for ASCII only: the input may be any bytes.
-spec lower(binary()) -> binary().
lower(Bytes) -> << <<(if C >= $A, C =< $Z -> C + 32; true -> C end)>> || <<C>> <= Bytes >>.

%% Private: the header

lines(_Socket, _Request, Lines, Room, _Deadline) when Lines =:= 0; Room < 0 ->
    {refused, 431, "too many headers, or too large"};
lines(Socket, #{headers := Headers} = Request, Lines, Room, Deadline) ->
    case gen_tcp:recv(Socket, 0, left(Deadline)) of
        {ok, {http_header, _, Field, _, Value}} ->
            Name = name(Field),
            With = Request#{headers := with(Name, Value, Headers)},
            lines(Socket, With, Lines - 1, Room - byte_size(Name) - byte_size(Value), Deadline);
        {ok, http_eoh} -> {ok, Request};
        {ok, {http_error, _}} -> {refused, 400, "not an HTTP header"};
        {error, timeout} -> {refused, 408, "the header did not arrive in time"};
        {error, _} -> gone
    end.

name(Field) when is_atom(Field) -> lower(atom_to_binary(Field));
name(Field) -> lower(Field).

%% A repeated header becomes a list, which is not a valid number or origin.
with(Name, Value, Headers) ->
    maps:update_with(Name, fun(Before) -> <<Before/binary, ", ", Value/binary>> end, Value, Headers).

path({abs_path, Path}) -> hd(binary:split(Path, <<"?">>));
path({absoluteURI, _, _, _, Path}) -> path({abs_path, Path});
path(_) -> <<>>.

%% Private: the body

%% Sends `100 Continue` to a client that waits for it.
go_on(Socket, #{<<"expect">> := Expected}) ->
    _ = [gen_tcp:send(Socket, <<"HTTP/1.1 100 Continue\r\n\r\n">>) || lower(Expected) =:= <<"100-continue">>],
    ok;
go_on(_Socket, #{}) -> ok.

%% Each chunk has its size before it, in hexadecimal; the last one has size 0. All received bytes
%% are one binary: chunks may be small and many.
chunks(Socket, Bytes, Deadline) ->
    case line(Socket, Deadline) of
        {ok, Line} ->
            [Digits | _Extensions] = binary:split(Line, [<<";">>, <<"\r">>, <<" ">>]),
            case hexadecimal(Digits) of
                none -> {refused, 400, "not a chunk size"};
                0 -> trailer(Socket, Bytes, ?MAX_LINES, Deadline);
                Size when byte_size(Bytes) + Size > ?MAX_MESSAGE -> too_large();
                Size -> chunk(Socket, Size, Bytes, Deadline)
            end;
        Refused -> Refused
    end.

chunk(Socket, Size, Bytes, Deadline) ->
    case bytes(Socket, Size + 2, [], Deadline) of
        {ok, <<Chunk:Size/binary, "\r\n">>} -> chunks(Socket, <<Bytes/binary, Chunk/binary>>, Deadline);
        {ok, _} -> {refused, 400, "a chunk that does not have the announced size"};
        Refused -> Refused
    end.

%% Headers after the body are ignored.
trailer(_Socket, _Bytes, 0, _Deadline) -> {refused, 400, "a trailer without end"};
trailer(Socket, Bytes, Lines, Deadline) ->
    case line(Socket, Deadline) of
        {ok, <<"\r\n">>} -> {ok, Bytes};
        {ok, _} -> trailer(Socket, Bytes, Lines - 1, Deadline);
        Refused -> Refused
    end.

line(Socket, Deadline) -> read(Socket, line, 0, Deadline).

bytes(_Socket, 0, Parts, _Deadline) -> {ok, iolist_to_binary(lists:reverse(Parts))};
bytes(Socket, Size, Parts, Deadline) ->
    case read(Socket, raw, min(Size, ?PART), Deadline) of
        {ok, Part} -> bytes(Socket, Size - byte_size(Part), [Part | Parts], Deadline);
        Refused -> Refused
    end.

read(Socket, Packet, Size, Deadline) ->
    _ = inet:setopts(Socket, [{packet, Packet}]),
    case gen_tcp:recv(Socket, Size, left(Deadline)) of
        {ok, Bytes} -> {ok, Bytes};
        {error, _} -> {refused, 408, "the body did not arrive in time"}
    end.

too_large() -> {refused, 413, io_lib:format("a message of more than ~b bytes", [?MAX_MESSAGE])}.

%% Private: numbers and time

%% The number for these digits; none if they have a sign, or are too long for a size.
natural(Text) -> number(Text, 10, fun(C) -> C >= $0 andalso C =< $9 end).

hexadecimal(Text) ->
    number(lower(Text), 16, fun(C) -> (C >= $0 andalso C =< $9) orelse (C >= $a andalso C =< $f) end).

number(Text, Base, IsDigit) ->
    case byte_size(Text) =< ?MAX_DIGITS andalso Text =/= <<>> andalso lists:all(IsDigit, binary_to_list(Text)) of
        true -> binary_to_integer(Text, Base);
        false -> none
    end.

deadline(Timeout) -> erlang:monotonic_time(millisecond) + Timeout.

left(Deadline) -> max(0, Deadline - erlang:monotonic_time(millisecond)).
