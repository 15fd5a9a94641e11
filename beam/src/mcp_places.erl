%% How many connections there are, and how many there may be.
-module(mcp_places).

-export([new/1, take/0, leave/0, taken/0, is_full/0, complain/1]).

%% Beside clients: whoever looks whether we live.
-define(BESIDE, 16).
%% Complaints are this far apart, in seconds.
-define(CALM, 10).

-record(places, {taken, complained, maxconn}).

%% For Maxconn clients.
-spec new(pos_integer()) -> ok.
new(Maxconn) ->
    persistent_term:put(?MODULE, #places{taken = counters:new(1, [atomics]),
                                         complained = atomics:new(1, []),
                                         maxconn = Maxconn + ?BESIDE}).

-spec take() -> ok.
take() -> counters:add((places())#places.taken, 1, 1).

-spec leave() -> ok.
leave() -> counters:sub((places())#places.taken, 1, 1).

-spec taken() -> non_neg_integer().
taken() -> counters:get((places())#places.taken, 1).

-spec is_full() -> boolean().
is_full() -> taken() >= (places())#places.maxconn.

%% Says, now and then, why no connection can be taken.
-spec complain(inet:posix() | system_limit) -> ok.
complain(Reason) ->
    Complained = (places())#places.complained,
    Now = erlang:system_time(second),
    Last = atomics:get(Complained, 1),
    case Now - Last >= ?CALM andalso atomics:compare_exchange(Complained, 1, Last, Now) of
        ok -> logger:error("cannot take more connections than ~b: ~ts", [taken(), inet:format_error(Reason)]);
        _ -> ok
    end.

%% Private

places() -> persistent_term:get(?MODULE).
