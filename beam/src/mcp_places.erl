%% How many connections there are, and how many there may be. They are counted for each kind, named by its module: when a
%% listener begins anew, none of its connections is left, however they ended.
-module(mcp_places).

-export([new/1, clear/1, take/1, leave/1, taken/0, complain/1]).

%% Complaints are this far apart, in seconds.
-define(CALM, 10).

-record(places, {taken, complained, maxconn}).

%% For Maxconn clients.
-spec new(pos_integer()) -> ok.
new(Maxconn) ->
    persistent_term:put(?MODULE, #places{taken = counters:new(2, [atomics]),
                                         complained = atomics:new(1, []),
                                         maxconn = Maxconn}).

-spec clear(module()) -> ok.
clear(Kind) -> counters:put((places())#places.taken, index(Kind), 0).

%% Whether there was a place.
-spec take(module()) -> boolean().
take(Kind) ->
    #places{taken = Taken, maxconn = Maxconn} = places(),
    counters:add(Taken, index(Kind), 1),
    case taken() =< Maxconn of
        true -> true;
        false ->
            counters:sub(Taken, index(Kind), 1),
            complain("~b connections are all that may be: more are refused", [Maxconn]),
            false
    end.

-spec leave(module()) -> ok.
leave(Kind) -> counters:sub((places())#places.taken, index(Kind), 1).

-spec taken() -> non_neg_integer().
taken() ->
    Taken = (places())#places.taken,
    counters:get(Taken, 1) + counters:get(Taken, 2).

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

index(mcp_tcp) -> 1;
index(mcp_http) -> 2.

places() -> persistent_term:get(?MODULE).
