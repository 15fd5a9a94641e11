%% The application and its only supervisor.
-module(erlmcp_app).
-behaviour(application).
-behaviour(supervisor).
-export([start/2, stop/1, init/1]).

start(_Type, _Arguments) -> supervisor:start_link(?MODULE, []).

stop(_State) -> ok.

init([]) -> {ok, {#{}, [#{id => registry, start => {erlmcp_registry, start_link, []}}]}}.
