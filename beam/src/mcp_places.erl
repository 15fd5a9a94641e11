%% How many connections there are, and how many there may be. They are counted for each kind, named by its module: when a
%% listener begins anew, none of its connections is left, however they ended.
-module(mcp_places).

-export([new/1, clear/1, take/1, leave/2, taken/0, complain/1]).

-type place() :: place        %% one of those that may be
               | beyond       %% one of a few, to be told that there is none
               | none.
-export_type([place/0]).

%% Places of each kind beyond those that may be.
-define(BEYOND, 32).

%% Complaints are this far apart, in seconds.
-define(CALM, 10).

-record(places, {taken, complained, maxconn}).

%% For Maxconn clients.
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
            complain("~b connections are all that may be: more are refused", [Maxconn]),
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

%% Says, now and then, why no connection can be accepted.
-spec complain(inet:posix() | system_limit) -> ok.
complain(Reason) -> complain("cannot take more connections than ~b: ~ts", [taken(), inet:format_error(Reason)]).

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
