%% Sessions of clients that come over many connections. Who knows a session's name is its client.
-module(mcp_sessions).
-behaviour(gen_server).

-export([start_link/0, open/0, find/1, close/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

%% Sessions that are kept at most. Beyond them, those that were idle longest end, several at once.
-define(MAX, 65536).
-define(ROOM, (?MAX div 16)).
%% Sessions end when they were idle for so long, in seconds: as long as balancers remember which node a client is at.
-define(IDLE, 1800).
%% Time between two looks for those, in milliseconds.
-define(SWEEP, 60000).

start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% A new session: 128 random bits, 32 hexadecimal digits.
-spec open() -> binary().
open() ->
    _ = [gen_server:call(?MODULE, make_room, infinity) || ets:info(?MODULE, size) >= ?MAX],
    Session = hex(rand_bytes()),
    ets:insert(?MODULE, {Session, now_in_seconds()}),
    Session.

%% Whether there is such a session. That counts as use.
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

init([]) ->
    ?MODULE = ets:new(?MODULE, [named_table, public, {read_concurrency, true}, {write_concurrency, true}]),
    erlang:send_after(?SWEEP, self(), sweep),
    {ok, none}.

handle_call(make_room, _From, State) ->
    _ = [end_idlest() || ets:info(?MODULE, size) >= ?MAX],
    {reply, ok, State}.

handle_cast(_Unknown, State) -> {noreply, State}.

handle_info(sweep, State) ->
    Oldest = now_in_seconds() - ?IDLE,
    _ = ets:select_delete(?MODULE, [{{'_', '$1'}, [{'<', '$1', Oldest}], [true]}]),
    erlang:send_after(?SWEEP, self(), sweep),
    {noreply, State};
handle_info(_Unknown, State) -> {noreply, State}.

%% Private

end_idlest() ->
    Idlest = lists:sublist(lists:keysort(2, ets:tab2list(?MODULE)), ?ROOM),
    lists:foreach(fun({Session, _}) -> close(Session) end, Idlest).

%% The kernel's, since `crypto` may not be installed.
rand_bytes() ->
    {ok, Urandom} = file:open("/dev/urandom", [read, raw, binary]),
    {ok, Bytes} = file:read(Urandom, 16),
    ok = file:close(Urandom),
    Bytes.

hex(Bytes) -> << <<(lists:nth(Digit + 1, "0123456789abcdef"))>> || <<Digit:4>> <= Bytes >>.

now_in_seconds() -> erlang:monotonic_time(second).
