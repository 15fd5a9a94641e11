%% Passes the servers' answers on to the process registered under a transport's name.
-module(erlmcp_registry).
-behaviour(gen_server).
-export([start_link/0, register_server/3, bind_transport_to_server/2, route_to_transport/3]).
-export([init/1, handle_call/3, handle_cast/2]).

start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

register_server(_Id, _Server, _Config) -> ok.

bind_transport_to_server(_Transport, _Id) -> ok.

route_to_transport(Transport, Id, Answer) ->
    gen_server:cast(?MODULE, {route_to_transport, Transport, Id, Answer}).

init([]) -> {ok, none}.

handle_call(_Request, _From, State) -> {reply, ok, State}.

handle_cast({route_to_transport, Transport, Id, Answer}, State) ->
    case gproc:where({n, l, {mcp, transport, Transport}}) of
        undefined -> ok;
        Pid -> Pid ! {mcp_response, Id, Answer}
    end,
    {noreply, State}.
