%% Counts the connections, and limits them. They are counted for each kind, named by its module:
%% when a listener restarts, its count starts at zero, however its connections ended.
-module(mcp_places).

-export([new/1, clear/1, take/1, leave/2, taken/0, complain/1]).

-type place() :: place        %% within the limit
               | beyond       %% one of a few beyond it, which get an error
               | none.
-export_type([place/0]).

%% Places of each kind beyond the limit.
-define(BEYOND, 32).

%% Time between two warnings, in seconds.
-define(CALM, 10).

-record(places, {taken, complained, maxconn}).

%% Sets the limit of client connections.
-spec new(pos_integer()) -> ok.
new(Maxconn) ->
    persistent_term:put(?MODULE, #places{taken = counters:new(4, [atomics]),
                                         complained = atomics:new(1, []),
                                         maxconn = Maxconn}).

-spec clear(module()) -> ok.
clear(Kind) ->
    Taken = (places())#places.taken,
    counters:put(Taken, index(Kind, place), 0),
    counters:put(Taken, index(Kind, beyond), 0).

-spec take(module()) -> place().
take(Kind) ->
    #places{taken = Taken, maxconn = Maxconn} = places(),
    case try_take(Taken, index(Kind, place), fun taken/0, Maxconn) of
        true -> place;
        false ->
            complain("the limit of ~b connections is reached: more are refused", [Maxconn]),
            Index = index(Kind, beyond),
            case try_take(Taken, Index, fun() -> counters:get(Taken, Index) end, ?BEYOND) of
                true -> beyond;
                false -> none
            end
    end.

-spec leave(module(), place()) -> ok.
leave(_Kind, none) -> ok;
leave(Kind, Place) -> counters:sub((places())#places.taken, index(Kind, Place), 1).

-spec taken() -> non_neg_integer().
taken() ->
    Taken = (places())#places.taken,
    counters:get(Taken, index(mcp_tcp, place)) + counters:get(Taken, index(mcp_http, place)).

%% Logs, at most once per period, why no connection can be accepted.
-spec complain(inet:posix() | system_limit) -> ok.
complain(Reason) -> complain("cannot accept more than ~b connections: ~ts", [taken(), inet:format_error(Reason)]).

%% Private

complain(Format, Arguments) ->
    Complained = (places())#places.complained,
    Now = erlang:system_time(second),
    Last = atomics:get(Complained, 1),
    case Now - Last >= ?CALM andalso atomics:compare_exchange(Complained, 1, Last, Now) of
        ok -> logger:error(Format, Arguments);
        _ -> ok
    end.

try_take(Taken, Index, Sum, Most) ->
    counters:add(Taken, Index, 1),
    case Sum() =< Most of
        true -> true;
        false ->
            counters:sub(Taken, Index, 1),
            false
    end.

index(mcp_tcp, place) -> 1;
index(mcp_http, place) -> 2;
index(mcp_tcp, beyond) -> 3;
index(mcp_http, beyond) -> 4.

places() -> persistent_term:get(?MODULE).
