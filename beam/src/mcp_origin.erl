%% Which web pages may use a node: those of this machine.
%%
%% A page anywhere on the web can make its reader's browser send requests to 127.0.0.1, or to a name of its own that
%% suddenly resolves to it (DNS rebinding). Browsers say where the page came from in `Origin`, and MCP wants it checked.
-module(mcp_origin).

-export([may_ask/1]).

-spec may_ask(binary()) -> boolean().
may_ask(Origin) ->
    %% OTP's parser trusts that what it reads is text.
    case is_ascii(Origin) andalso uri_string:parse(Origin) of
        #{scheme := _, host := Host} = Uri -> not is_map_key(userinfo, Uri) andalso is_loopback(Host);
        _ -> false
    end.

%% Private

is_ascii(Bytes) -> << <<C>> || <<C>> <= Bytes, C > $\s, C < 127 >> =:= Bytes.

is_loopback(Host) ->
    case inet:parse_strict_address(binary_to_list(string:trim(Host, both, "[]"))) of
        {ok, {127, _, _, _}} -> true;
        {ok, {0, 0, 0, 0, 0, 0, 0, 1}} -> true;
        _ -> string:lowercase(Host) =:= <<"localhost">>
    end.
