%% The web pages that may use a node: those of this machine.
%%
%% A page anywhere on the web can make the browser of its reader send requests to 127.0.0.1, or to a
%% host name of its own that suddenly resolves to it (DNS rebinding). Browsers send the origin of
%% the page in `Origin`, and MCP requires a check.
-module(mcp_origin).

-export([may_ask/1]).

-spec may_ask(binary()) -> boolean().
may_ask(Origin) ->
    %% OTP's parser accepts only text.
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
