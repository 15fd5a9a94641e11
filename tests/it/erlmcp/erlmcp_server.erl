%% The server of one client. It speaks as erlmcp's does: only errors before `initialize`, and two
%% lines as its answer.
-module(erlmcp_server).
-behaviour(gen_server).
-export([start_link/2]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

start_link(Id, Config) -> gen_server:start_link(?MODULE, {Id, Config}, []).

init({Id, _Config}) ->
    process_flag(trap_exit, true),
    {ok, {Id, new}}.

handle_call(_Request, _From, State) -> {reply, ok, State}.

handle_cast(_Message, State) -> {noreply, State}.

handle_info({mcp_message, Transport, Line}, {Id, Phase}) ->
    Say = fun(Answer) -> erlmcp_registry:route_to_transport(Transport, Id, iolist_to_binary(Answer)) end,
    Method = found(Line, "\"method\"\\s*:\\s*\"([^\"]*)\""),
    Number = found(Line, "\"id\"\\s*:\\s*(\"[^\"]*\"|[0-9]+)"),
    Result = ["{\"jsonrpc\":\"2.0\",\"id\":", Number, ",\"result\":"],
    case {Phase, Method, Number} of
        {_, _, <<>>} ->
            {noreply, {Id, Phase}};
        {new, <<"initialize">>, _} ->
            Say([Result, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"logging\":{}},",
                 "\"serverInfo\":{\"version\":\"2.1.0\",\"name\":\"erlmcp\"}}}"]),
            Say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\",\"params\":{}}"),
            {noreply, {Id, initialized}};
        {new, _, _} ->
            Say(["{\"jsonrpc\":\"2.0\",\"id\":", Number, ",\"error\":{\"code\":-32005,\"message\":\"Call initialize first.\"}}"]),
            {noreply, {Id, new}};
        {initialized, _, _} ->
            Say([Result, "{}}"]),
            {noreply, {Id, initialized}}
    end;
handle_info(_Message, State) -> {noreply, State}.

found(Line, Pattern) ->
    case re:run(Line, Pattern, [{capture, [1], binary}]) of
        {match, [Found]} -> Found;
        nomatch -> <<>>
    end.
