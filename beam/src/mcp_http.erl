%% One client over HTTP/1.1: GET /health, and MCP by POST /mcp. An answer is never a stream of
%% events, so GET /mcp is not supported: the specification allows that.
-module(mcp_http).

-export([start_link/0, socket_options/0]).
-export([init/0, serve/2]).

%% The time for a header, and between two requests, in milliseconds: longer than balancers keep idle
%% connections. A shorter time for clients without a place.
-define(HEADER_TIMEOUT, 75000).
-define(BEYOND_TIMEOUT, 2000).

start_link() -> {ok, proc_lib:spawn_link(?MODULE, init, [])}.

socket_options() -> mcp_request:socket_options().

%% Private: connections

init() ->
    receive {serve, Socket} ->
        Place = mcp_places:take(?MODULE),
        try serve(Socket, Place)
        after mcp_places:leave(?MODULE, Place)
        end
    end.

%% Answers requests until there are no more. A client beyond the node's limit gets only that error,
%% and the node's health.
serve(Socket, none) -> gen_tcp:close(Socket);
serve(Socket, Place) ->
    case mcp_request:head(Socket, patience(Place)) of
        {ok, #{method := Method} = Request} ->
            {Status, Headers, Body, MustEnd} = respond(Socket, Request, Place),
            Last = MustEnd orelse Place =:= beyond orelse mcp_request:is_last(Request),
            case reply(Socket, Method, Status, [{"Connection", "close"} || Last] ++ Headers, Body) of
                ok when not Last -> ?MODULE:serve(Socket, Place);
                _ -> finish(Socket)
            end;
        {refused, Status, Why} ->
            _ = reply(Socket, 'GET', Status, [{"Connection", "close"}], problem(Why)),
            finish(Socket);
        gone ->
            gen_tcp:close(Socket)
    end.

patience(place) -> ?HEADER_TIMEOUT;
patience(beyond) -> ?BEYOND_TIMEOUT.

%% Reads what the client has sent before the connection is closed.
finish(Socket) ->
    _ = gen_tcp:shutdown(Socket, write),
    _ = inet:setopts(Socket, [{packet, raw}]),
    _ = gen_tcp:recv(Socket, 0, 1000),
    gen_tcp:close(Socket).

%% Private: answering

%% Status, headers, body, and whether the connection must close: an unread body is where the next
%% request would begin.
respond(Socket, #{method := Method, path := Path} = Request, Place) ->
    MayAsk = not mcp_request:has_header(<<"origin">>, Request)
        orelse mcp_origin:may_ask(mcp_request:header(<<"origin">>, Request)),
    case {Path, Method} of
        _ when not MayAsk -> {403, [], problem("requests from pages of this origin are not allowed"), true};
        {<<"/health">>, 'GET'} -> {200, [], health(), mcp_request:has_body(Request)};
        {<<"/health">>, 'HEAD'} -> {200, [], health(), mcp_request:has_body(Request)};
        {<<"/health">>, _} -> not_allowed("GET, HEAD");
        {<<"/mcp">>, _} when Place =:= beyond ->
            {503, [{"Retry-After", "1"}], mcp_rpc:refusal(unavailable, "too many connections"), true};
        {<<"/mcp">>, 'POST'} -> post(Socket, Request);
        {<<"/mcp">>, 'DELETE'} -> delete(Request);
        {<<"/mcp">>, _} -> not_allowed("POST, DELETE");
        _ -> {404, [], nothing_at(Path), mcp_request:has_body(Request)}
    end.

nothing_at(Path) -> mcp_json:encode(#{error => <<"no such path: ", (shown(Path))/binary>>}).

shown(Path) -> << <<C>> || <<C>> <= binary:part(Path, 0, min(byte_size(Path), 100)), C > $\s, C < 127 >>.

not_allowed(Methods) -> {405, [{"Allow", Methods}], problem(["only ", Methods, " here"]), true}.

health() ->
    mcp_json:encode(#{status => <<"ok">>,
                      node => unicode:characters_to_binary(mcp_node:name()),
                      pid => list_to_integer(os:getpid()),
                      connections => mcp_places:taken()}).

post(Socket, Request) ->
    Version = mcp_request:header(<<"mcp-protocol-version">>, Request),
    [MediaType | _] = binary:split(mcp_request:header(<<"content-type">>, Request), [<<";">>, <<" ">>]),
    IsJson = mcp_request:lower(MediaType) =:= <<"application/json">>,
    IsVersion = Version =:= <<>> orelse mcp_rpc:is_version(Version),
    case session(Request) of
        unknown -> {404, [], no_session(), true};
        _ when not IsVersion -> {400, [], problem("MCP-Protocol-Version: not a supported version"), true};
        _ when not IsJson -> {415, [], problem("Content-Type: not application/json"), true};
        Session ->
            case mcp_request:body(Socket, Request) of
                {ok, Body} -> message(Body, Session);
                {refused, Status, Why} -> {Status, [], problem(Why), true}
            end
    end.

message(Body, Session) ->
    case mcp_rpc:answer(Body) of
        nothing -> {202, [], [], false};
        {malformed, Answer} -> {400, [], Answer, false};
        {welcome, Answer} when Session =:= none -> {200, [{"Mcp-Session-Id", mcp_sessions:open()}], Answer, false};
        {_, Answer} -> {200, [], Answer, false}
    end.

delete(Request) ->
    case session(Request) of
        none -> {400, [], problem("Mcp-Session-Id: missing"), true};
        unknown -> {404, [], no_session(), true};
        Session ->
            mcp_sessions:close(Session),
            {204, [], [], mcp_request:has_body(Request)}
    end.

session(#{headers := #{<<"mcp-session-id">> := Session}}) ->
    case mcp_sessions:find(Session) of
        true -> Session;
        false -> unknown
    end;
session(_Request) -> none.

no_session() -> mcp_rpc:refusal(no_session, "no such session: initialize again").

%% Clients of MCP read JSON-RPC errors with any status.
problem(Why) -> mcp_rpc:refusal(invalid_request, Why).

%% Private: writing

reply(Socket, Method, Status, Headers, Body) ->
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
reason(501) -> "Not Implemented";
reason(503) -> "Service Unavailable";
reason(505) -> "HTTP Version Not Supported".
