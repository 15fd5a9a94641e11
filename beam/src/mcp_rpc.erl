%% Answers messages: JSON-RPC 2.0 and the methods of MCP, for any transport.
-module(mcp_rpc).

-export([answer/1, refusal/2, is_version/1]).

-type kind() :: welcome      %% the answer to `initialize`
              | reply        %% any other answer
              | malformed.   %% the input is not a message
-export_type([kind/0]).

%% Oldest first.
-define(VERSIONS, [<<"2024-11-05">>, <<"2025-03-26">>, <<"2025-06-18">>, <<"2025-11-25">>]).
%% The most messages in one batch.
-define(MAX_BATCH, 100).
%% The most characters of an unknown name in an error.
-define(SHOWN, 100).

%% Handles one text.
-spec answer(binary()) -> {kind(), iodata()} | nothing.
answer(Text) ->
    case mcp_json:decode(Text) of
        {ok, []} -> {malformed, encode(failure(null, invalid_request, "an empty batch"))};
        {ok, Batch} when is_list(Batch), length(Batch) > ?MAX_BATCH ->
            {malformed, refusal(invalid_request, io_lib:format("a batch of more than ~b", [?MAX_BATCH]))};
        {ok, Batch} when is_list(Batch) -> of_batch([message(Message) || Message <- Batch]);
        {ok, Message} -> of_one(message(Message));
        {error, Why} -> {malformed, refusal(parse_error, ["not JSON: ", Why])}
    end.

%% An error without a request.
-spec refusal(atom(), iodata()) -> iodata().
refusal(Code, Why) -> encode(failure(null, Code, Why)).

%% Whether the version of MCP is supported.
-spec is_version(binary()) -> boolean().
is_version(Name) -> lists:member(Name, ?VERSIONS).

%% Private

of_one(nothing) -> nothing;
of_one({Kind, Response}) -> {Kind, encode(Response)}.

of_batch(Answers) ->
    case [Response || {_Kind, Response} <- Answers] of
        [] -> nothing;
        Responses -> {reply, encode(Responses)}
    end.

message(#{<<"id">> := Id}) when not is_binary(Id), not is_number(Id) ->
    {malformed, failure(null, invalid_request, "id: not a string or number")};
message(#{<<"jsonrpc">> := <<"2.0">>, <<"method">> := Method} = Message) when is_binary(Method) ->
    case Message of
        #{<<"id">> := Id} -> request(Id, Method, maps:get(<<"params">>, Message, #{}));
        #{} -> nothing
    end;
message(#{<<"jsonrpc">> := <<"2.0">>, <<"method">> := _} = Message) ->
    malformed(Message, "method: not a string");
message(#{<<"jsonrpc">> := <<"2.0">>, <<"result">> := _, <<"error">> := _} = Message) ->
    malformed(Message, "both result and error");
message(#{<<"jsonrpc">> := <<"2.0">>, <<"result">> := _}) -> nothing;
message(#{<<"jsonrpc">> := <<"2.0">>, <<"error">> := _}) -> nothing;
message(#{<<"jsonrpc">> := <<"2.0">>} = Message) -> malformed(Message, "neither method nor result nor error");
message(#{} = Message) -> malformed(Message, "jsonrpc: not \"2.0\"");
message(_) -> malformed(#{}, "not an object").

malformed(Message, Why) -> {malformed, failure(maps:get(<<"id">>, Message, null), invalid_request, Why)}.

request(Id, <<"initialize">>, #{<<"protocolVersion">> := Version}) when is_binary(Version) ->
    {welcome, success(Id, introduction(Version))};
request(Id, <<"initialize">>, _) -> invalid(Id, "protocolVersion: not a string");
%% Answered before the handshake, too: health checks send nothing else.
request(Id, <<"ping">>, _) -> {reply, success(Id, #{})};
request(Id, <<"tools/list">>, _) -> {reply, success(Id, #{tools => tools()})};
request(Id, <<"tools/call">>, #{<<"name">> := Name} = Params) when is_binary(Name) ->
    call(Id, Name, maps:get(<<"arguments">>, Params, #{}));
request(Id, <<"tools/call">>, _) -> invalid(Id, "name: not a string");
request(Id, Method, _) -> {reply, failure(Id, method_not_found, ["no method `", shown(Method), "`"])}.

introduction(Version) ->
    #{protocolVersion => case is_version(Version) of true -> Version; false -> lists:last(?VERSIONS) end,
      capabilities => #{tools => #{listChanged => false}},
      serverInfo => #{name => unicode:characters_to_binary(mcp_node:name()), version => version()}}.

version() ->
    {ok, Version} = application:get_key(mcp_node, vsn),
    list_to_binary(Version).

tools() ->
    Text = fun(Description) -> #{type => <<"string">>, description => Description} end,
    [#{name => <<"echo">>,
       description => <<"Returns the message.">>,
       inputSchema => #{type => <<"object">>,
                        properties => #{message => Text(<<"The text to return.">>),
                                        text => Text(<<"Another name of `message`.">>)}}},
     #{name => <<"whoami">>,
       description => <<"Returns the name and the process id of the node that answers.">>,
       inputSchema => #{type => <<"object">>, properties => #{}}}].

call(Id, <<"echo">>, #{<<"message">> := Text}) when is_binary(Text) -> {reply, success(Id, result(Text, false))};
call(Id, <<"echo">>, #{<<"text">> := Text}) when is_binary(Text) -> {reply, success(Id, result(Text, false))};
call(Id, <<"echo">>, _) -> {reply, success(Id, result(<<"message: not a string">>, true))};
call(Id, <<"whoami">>, _) ->
    %% JSON text, with the spaces that the documentation shows.
    Who = io_lib:format("{\"node\": \"~ts\", \"pid\": ~s}", [mcp_node:name(), os:getpid()]),
    {reply, success(Id, result(unicode:characters_to_binary(Who), false))};
call(Id, Unknown, _) -> invalid(Id, ["no tool `", shown(Unknown), "`"]).

result(Text, IsError) -> #{content => [#{type => <<"text">>, text => Text}], isError => IsError}.

invalid(Id, Why) -> {reply, failure(Id, invalid_params, Why)}.

success(Id, Result) -> #{jsonrpc => <<"2.0">>, id => Id, result => Result}.

failure(Id, Code, Why) ->
    #{jsonrpc => <<"2.0">>,
      id => Id,
      error => #{code => code(Code), message => unicode:characters_to_binary(Why)}}.

code(parse_error) -> -32700;
code(invalid_request) -> -32600;
code(method_not_found) -> -32601;
code(invalid_params) -> -32602;
code(no_session) -> -32001;
%% The same number as the HTTP status. It is outside the ranges of JSON-RPC and MCP.
code(unavailable) -> 503.

%% In code points: a single grapheme may be as long as a message.
shown(Text) -> shown(Text, ?SHOWN).

shown(<<C/utf8, Rest/binary>>, Left) when Left > 0 -> [<<C/utf8>> | shown(Rest, Left - 1)];
shown(_, _) -> [].

encode(Value) -> mcp_json:encode(Value).
