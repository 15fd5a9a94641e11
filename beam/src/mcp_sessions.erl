%% Sessions of clients that use many connections. A session's id is the only proof of its client.
-module(mcp_sessions).
-behaviour(gen_server).

-export([start_link/0, open/0, find/1, close/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

%% The most sessions. Beyond that, those that were idle longest end, several at once.
-define(MAX, 65536).
-define(ROOM, (?MAX div 16)).
%% Sessions end after this idle time, in seconds: as long as balancers remember a client's node.
-define(IDLE, 1800).
%% Time between two checks for idle sessions, in milliseconds.
-define(SWEEP, 60000).

start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Creates a session: 128 random bits, 32 hexadecimal digits.
-spec open() -> binary().
open() -> gen_server:call(?MODULE, open, infinity).

%% Whether the session exists. The check counts as use.
-spec find(binary()) -> boolean().
find(Session) ->
    Now = now_in_seconds(),
    case ets:lookup(?MODULE, Session) of
        [{_, Used}] when Now - Used =< ?IDLE -> ets:update_element(?MODULE, Session, {2, Now});
        _ -> false
    end.

-spec close(binary()) -> true.
close(Session) -> ets:delete(?MODULE, Session).

%% gen_server

%% The kernel's random numbers, since `crypto` may not be installed. Opened once: later no
%% descriptor may be free.
init([]) ->
    ?MODULE = ets:new(?MODULE, [named_table, public, {read_concurrency, true}, {write_concurrency, true}]),
    {ok, Urandom} = file:open("/dev/urandom", [read, raw, binary]),
    erlang:send_after(?SWEEP, self(), sweep),
    {ok, Urandom}.

handle_call(open, _From, Urandom) ->
    _ = [end_idlest() || ets:info(?MODULE, size) >= ?MAX],
    {ok, Bytes} = file:read(Urandom, 16),
    Session = hex(Bytes),
    ets:insert(?MODULE, {Session, now_in_seconds()}),
    {reply, Session, Urandom}.

handle_cast(_Unknown, Urandom) -> {noreply, Urandom}.

handle_info(sweep, Urandom) ->
    Oldest = now_in_seconds() - ?IDLE,
    _ = ets:select_delete(?MODULE, [{{'_', '$1'}, [{'<', '$1', Oldest}], [true]}]),
    erlang:send_after(?SWEEP, self(), sweep),
    {noreply, Urandom};
handle_info(_Unknown, Urandom) -> {noreply, Urandom}.

%% Private

end_idlest() ->
    Idlest = lists:sublist(lists:keysort(2, ets:tab2list(?MODULE)), ?ROOM),
    lists:foreach(fun({Session, _}) -> close(Session) end, Idlest).

hex(Bytes) -> << <<(lists:nth(Digit + 1, "0123456789abcdef"))>> || <<Digit:4>> <= Bytes >>.

now_in_seconds() -> erlang:monotonic_time(second).
