%% As much of gproc as a server of erlmcp needs: process names in a table of the application.
-module(gproc).
-behaviour(application).
-export([reg/1, where/1]).
-export([start/2, stop/1]).

start(_Type, _Arguments) ->
    Starter = self(),
    Pid = spawn_link(fun() ->
        ?MODULE = ets:new(?MODULE, [named_table, public]),
        Starter ! {self(), ready},
        receive never -> ok end
    end),
    receive {Pid, ready} -> {ok, Pid} end.

stop(_State) -> ok.

reg(Key) -> ets:insert(?MODULE, {Key, self()}).

where(Key) ->
    case ets:lookup(?MODULE, Key) of
        [{_, Pid}] -> Pid;
        [] -> undefined
    end.
