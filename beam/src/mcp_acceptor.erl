%% Accepts connections of a listener, one after the other, and gives each to a process of its own.
-module(mcp_acceptor).

-export([start_link/2]).
-export([init/2, accept/2]).

%% The pause when no descriptor is free, in milliseconds. Meanwhile clients wait in the kernel's
%% queue.
-define(PAUSE, 50).

-spec start_link(gen_tcp:socket(), pid()) -> {ok, pid()}.
start_link(Listener, Supervisor) ->
    {ok, proc_lib:spawn_link(?MODULE, init, [Listener, Supervisor])}.

%% Requested here and not before: a supervisor that is starting this process cannot answer.
init(Listener, Supervisor) -> accept(Listener, mcp_connection_sup:beside(Supervisor)).

%% Private

accept(Listener, Connections) ->
    take(gen_tcp:accept(Listener), Connections),
    ?MODULE:accept(Listener, Connections).

take({ok, Socket}, Connections) ->
    {ok, Pid} = supervisor:start_child(Connections, []),
    %% A connection that has already ended makes its process exit when it looks at the socket.
    _ = gen_tcp:controlling_process(Socket, Pid),
    Pid ! {serve, Socket};
take({error, closed}, _Connections) ->
    exit(shutdown);
take({error, Reason}, _Connections) when Reason =:= emfile; Reason =:= enfile; Reason =:= system_limit ->
    mcp_places:complain(Reason),
    timer:sleep(?PAUSE);
take({error, _Gone}, _Connections) ->
    ok.
