%% One client over HTTP/1.1: GET /health, and MCP by POST /mcp. An answer is never a stream of events, so GET /mcp is not
%% for us: the specification allows that.
-module(mcp_http).

-export([start_link/0, socket_options/0]).
-export([init/0, serve/1]).

%% The longest message that is read, in bytes, and the longest line of a header, and how many of those. Erlang ends a
%% connection with a longer line itself, without a word.
-define(MAX_MESSAGE, 16#1000000).
-define(MAX_LINE, 16384).
-define(MAX_HEADERS, 100).
%% Digits of a size.
-define(MAX_DIGITS, 20).
%% For a request's header, and between two requests: longer than balancers keep idle connections. For its body. In
%% milliseconds.
-define(HEADER_TIMEOUT, 75000).
-define(BODY_TIMEOUT, 30000).

-record(request, {method, path, version, headers = #{} :: #{binary() => binary()}}).

start_link() -> {ok, proc_lib:spawn_link(?MODULE, init, [])}.

socket_options() -> [{packet, http_bin}, {packet_size, ?MAX_LINE}, {recbuf, ?MAX_LINE}].

%% Private: connections

init() ->
    receive {serve, Socket} ->
        mcp_places:take(),
        try serve(Socket)
        after mcp_places:leave()
        end
    end.

%% Answers requests until there are no more.
serve(Socket) ->
    case request(Socket) of
        {ok, Request} ->
            {Status, Headers, Body, MustEnd} = respond(Socket, Request),
            Last = MustEnd orelse is_last(Request),
            case reply(Socket, Request, Status, [{"Connection", "close"} || Last] ++ Headers, Body) of
                ok when not Last -> ?MODULE:serve(Socket);
                _ -> finish(Socket)
            end;
        {refused, Status, Why} ->
            _ = reply(Socket, #request{method = 'GET'}, Status, [{"Connection", "close"}], problem(Why)),
            finish(Socket);
        gone ->
            gen_tcp:close(Socket)
    end.

%% What was sent is read before the connection is over.
finish(Socket) ->
    _ = gen_tcp:shutdown(Socket, write),
    _ = inet:setopts(Socket, [{packet, raw}]),
    _ = gen_tcp:recv(Socket, 0, 1000),
    gen_tcp:close(Socket).

is_last(#request{version = {1, 1}, headers = Headers}) ->
    Options = binary:split(lower(header(<<"connection">>, Headers)), [<<",">>, <<" ">>], [global]),
    lists:member(<<"close">>, Options);
is_last(#request{}) -> true.

%% Private: reading

request(Socket) ->
    _ = inet:setopts(Socket, [{packet, http_bin}]),
    case gen_tcp:recv(Socket, 0, ?HEADER_TIMEOUT) of
        {ok, {http_request, Method, Target, Version}} ->
            headers(Socket, #request{method = Method, path = path(Target), version = Version});
        %% A line between two requests.
        {ok, {http_error, <<"\r\n">>}} -> request(Socket);
        {ok, {http_error, _}} -> {refused, 400, "no request of HTTP"};
        {error, _} -> gone
    end.

headers(_Socket, #request{headers = Headers}) when map_size(Headers) > ?MAX_HEADERS ->
    {refused, 431, "too many headers"};
headers(Socket, #request{headers = Headers} = Request) ->
    case gen_tcp:recv(Socket, 0, ?HEADER_TIMEOUT) of
        {ok, {http_header, _, Name, _, Value}} ->
            headers(Socket, Request#request{headers = with(name(Name), Value, Headers)});
        {ok, http_eoh} -> {ok, Request};
        {ok, {http_error, _}} -> {refused, 400, "no header of HTTP"};
        {error, _} -> gone
    end.

%% One that comes again is a list, and no number or origin is one.
with(Name, Value, Headers) ->
    maps:update_with(Name, fun(Before) -> <<Before/binary, ", ", Value/binary>> end, Value, Headers).

path({abs_path, Path}) -> hd(binary:split(Path, <<"?">>));
path({absoluteURI, _, _, _, Path}) -> path({abs_path, Path});
path(_) -> <<>>.

name(Name) when is_atom(Name) -> lower(atom_to_binary(Name));
name(Name) -> lower(Name).

header(Name, Headers) -> maps:get(Name, Headers, <<>>).

%% Of ASCII: what came may be any bytes.
lower(Bytes) -> << <<(if C >= $A, C =< $Z -> C + 32; true -> C end)>> || <<C>> <= Bytes >>.

body(_Socket, #request{headers = #{<<"transfer-encoding">> := _, <<"content-length">> := _}}) ->
    {error, 400, "both Transfer-Encoding and Content-Length"};
body(Socket, #request{headers = #{<<"transfer-encoding">> := Coding} = Headers}) ->
    case lower(Coding) of
        <<"chunked">> ->
            go_on(Socket, Headers),
            chunks(Socket, [], 0);
        _ -> {error, 501, "Transfer-Encoding: not chunked"}
    end;
body(Socket, #request{headers = #{<<"content-length">> := Text} = Headers}) ->
    case natural(Text) of
        none -> {error, 400, "Content-Length: no number"};
        Size when Size > ?MAX_MESSAGE -> too_large();
        0 -> {ok, <<>>};
        Size ->
            go_on(Socket, Headers),
            raw(Socket, Size)
    end;
body(_Socket, #request{}) -> {error, 411, "a body needs a Content-Length"}.

%% Tells a client that waits for it to send the body.
go_on(Socket, #{<<"expect">> := Expected}) ->
    _ = [gen_tcp:send(Socket, <<"HTTP/1.1 100 Continue\r\n\r\n">>) || lower(Expected) =:= <<"100-continue">>],
    ok;
go_on(_Socket, #{}) -> ok.

%% Each has its size before it, in hexadecimal; the last one has none. `Parts` came before, the last one first.
chunks(Socket, Parts, Total) ->
    case line(Socket) of
        {ok, Line} ->
            [Digits | _Extensions] = binary:split(Line, [<<";">>, <<"\r">>, <<" ">>]),
            case hexadecimal(Digits) of
                none -> {error, 400, "no size of a chunk"};
                0 -> trailer(Socket, Parts, ?MAX_HEADERS);
                Size when Total + Size > ?MAX_MESSAGE -> too_large();
                Size -> chunk(Socket, Size, Parts, Total)
            end;
        Error -> Error
    end.

chunk(Socket, Size, Parts, Total) ->
    case raw(Socket, Size + 2) of
        {ok, <<Part:Size/binary, "\r\n">>} -> chunks(Socket, [Part | Parts], Total + Size);
        {ok, _} -> {error, 400, "a chunk of another size than it says"};
        Error -> Error
    end.

%% Headers that come late are nobody's.
trailer(_Socket, _Parts, 0) -> {error, 400, "a trailer without end"};
trailer(Socket, Parts, Left) ->
    case line(Socket) of
        {ok, <<"\r\n">>} -> {ok, iolist_to_binary(lists:reverse(Parts))};
        {ok, _} -> trailer(Socket, Parts, Left - 1);
        Error -> Error
    end.

line(Socket) -> read(Socket, line, 0).

raw(Socket, Size) -> read(Socket, raw, Size).

read(Socket, Packet, Size) ->
    _ = inet:setopts(Socket, [{packet, Packet}]),
    case gen_tcp:recv(Socket, Size, ?BODY_TIMEOUT) of
        {ok, Bytes} -> {ok, Bytes};
        {error, _} -> {error, 408, "the body did not come in time"}
    end.

too_large() -> {error, 413, io_lib:format("a message of more than ~b bytes", [?MAX_MESSAGE])}.

%% The number that these digits are; none for what has a sign, or is too long to be a size.
natural(Text) -> number(Text, 10, fun(C) -> C >= $0 andalso C =< $9 end).

hexadecimal(Text) ->
    number(lower(Text), 16, fun(C) -> (C >= $0 andalso C =< $9) orelse (C >= $a andalso C =< $f) end).

number(Text, Base, IsDigit) ->
    case byte_size(Text) =< ?MAX_DIGITS andalso Text =/= <<>> andalso lists:all(IsDigit, binary_to_list(Text)) of
        true -> binary_to_integer(Text, Base);
        false -> none
    end.

%% Private: answering

%% Status, headers, body, and whether nothing may follow: a body that was not read stands where the next request would.
respond(Socket, #request{method = Method, path = Path, headers = Headers} = Request) ->
    case {Path, Method} of
        _ when is_map_key(<<"origin">>, Headers) ->
            case mcp_origin:may_ask(header(<<"origin">>, Headers)) of
                true -> respond(Socket, Request#request{headers = maps:remove(<<"origin">>, Headers)});
                false -> {403, [], problem("pages of this origin may not ask"), true}
            end;
        {<<"/health">>, 'GET'} -> {200, [], health(), has_body(Headers)};
        {<<"/health">>, 'HEAD'} -> {200, [], health(), has_body(Headers)};
        {<<"/health">>, _} -> not_allowed("GET, HEAD");
        {<<"/mcp">>, 'POST'} -> post(Socket, Request);
        {<<"/mcp">>, 'DELETE'} -> delete(Headers);
        {<<"/mcp">>, _} -> not_allowed("POST, DELETE");
        _ -> {404, [], nothing_at(Path), has_body(Headers)}
    end.

nothing_at(Path) -> mcp_json:encode(#{error => <<"nothing is at ", (shown(Path))/binary>>}).

shown(Path) -> << <<C>> || <<C>> <= binary:part(Path, 0, min(byte_size(Path), 100)), C > $\s, C < 127 >>.

has_body(Headers) ->
    maps:is_key(<<"transfer-encoding">>, Headers) orelse header(<<"content-length">>, Headers) > <<"0">>.

not_allowed(Methods) -> {405, [{"Allow", Methods}], problem(["only ", Methods, " here"]), true}.

health() ->
    mcp_json:encode(#{status => <<"ok">>,
                      node => unicode:characters_to_binary(mcp_node:name()),
                      pid => list_to_integer(os:getpid()),
                      connections => mcp_places:taken()}).

post(Socket, #request{headers = Headers} = Request) ->
    Version = header(<<"mcp-protocol-version">>, Headers),
    [MediaType | _] = binary:split(header(<<"content-type">>, Headers), [<<";">>, <<" ">>]),
    IsJson = lower(MediaType) =:= <<"application/json">>,
    IsVersion = Version =:= <<>> orelse mcp_rpc:is_version(Version),
    case session(Headers) of
        unknown -> {404, [], no_session(), true};
        _ when not IsVersion -> {400, [], problem("MCP-Protocol-Version: not a version that is spoken here"), true};
        _ when not IsJson -> {415, [], problem("Content-Type: not application/json"), true};
        Session ->
            case body(Socket, Request) of
                {ok, Body} -> message(Body, Session);
                {error, Status, Why} -> {Status, [], problem(Why), true}
            end
    end.

message(Body, Session) ->
    case mcp_rpc:answer(Body) of
        nothing -> {202, [], [], false};
        {malformed, Answer} -> {400, [], Answer, false};
        {welcome, Answer} when Session =:= none -> {200, [{"Mcp-Session-Id", mcp_sessions:open()}], Answer, false};
        {_, Answer} -> {200, [], Answer, false}
    end.

delete(Headers) ->
    case session(Headers) of
        none -> {400, [], problem("Mcp-Session-Id: missing"), true};
        unknown -> {404, [], no_session(), true};
        Session ->
            mcp_sessions:close(Session),
            {204, [], [], has_body(Headers)}
    end.

session(#{<<"mcp-session-id">> := Session}) ->
    case mcp_sessions:find(Session) of
        true -> Session;
        false -> unknown
    end;
session(#{}) -> none.

no_session() -> mcp_rpc:refusal(no_session, "no such session: initialize anew").

%% Clients of MCP read errors of JSON-RPC, whatever the status.
problem(Why) -> mcp_rpc:refusal(invalid_request, Why).

%% Private: writing

reply(Socket, #request{method = Method}, Status, Headers, Body) ->
    Length = case Status of
                 204 -> [];
                 _ -> ["Content-Length: ", integer_to_list(iolist_size(Body)), "\r\n"]
             end,
    Type = case iolist_size(Body) of
               0 -> [];
               _ -> "Content-Type: application/json\r\n"
           end,
    gen_tcp:send(Socket, ["HTTP/1.1 ", integer_to_list(Status), $\s, reason(Status), "\r\n", Type, Length,
                          [[Name, ": ", Value, "\r\n"] || {Name, Value} <- Headers], "\r\n",
                          [Body || Method =/= 'HEAD']]).

reason(200) -> "OK";
reason(202) -> "Accepted";
reason(204) -> "No Content";
reason(400) -> "Bad Request";
reason(403) -> "Forbidden";
reason(404) -> "Not Found";
reason(405) -> "Method Not Allowed";
reason(408) -> "Request Timeout";
reason(411) -> "Length Required";
reason(413) -> "Content Too Large";
reason(415) -> "Unsupported Media Type";
reason(431) -> "Request Header Fields Too Large";
reason(501) -> "Not Implemented".
