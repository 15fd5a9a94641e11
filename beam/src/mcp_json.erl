%% JSON (RFC 8259). Objects are maps with binaries as keys; strings are UTF-8 binaries; only true,
%% false and null become atoms. OTP has its own `json` since 27; this one also works before.
-module(mcp_json).

-export([decode/1, encode/1]).

-type json() :: #{binary() => json()} | [json()] | binary() | number() | boolean() | null.
-export_type([json/0]).

%% The deepest nesting of values.
-define(MAX_DEPTH, 128).
%% The longest number: the time to parse longer ones grows with the square of their length.
-define(MAX_NUMBER, 400).

-define(IS_SPACE(C), (C =:= $\s orelse C =:= $\n orelse C =:= $\t orelse C =:= $\r)).
-define(IS_DIGIT(C), (C >= $0 andalso C =< $9)).

%% Parses one text; an error has the reason and the byte position.
-spec decode(binary()) -> {ok, json()} | {error, iodata()}.
decode(Text) ->
    try value(skip(Text), 0) of
        {Value, Rest} ->
            case skip(Rest) of
                <<>> -> {ok, Value};
                Left -> error_at("more than one value", Text, Left)
            end
    catch
        throw:{Why, Left} -> error_at(Why, Text, Left)
    end.

%% Keys may be atoms here.
-spec encode(term()) -> iodata().
encode(Value) when is_atom(Value) -> atom_to_binary(Value);
encode(Value) when is_binary(Value) -> string(Value);
encode(Value) when is_integer(Value) -> integer_to_binary(Value);
encode(Value) when is_float(Value) -> float_to_binary(Value, [short]);
encode(Value) when is_list(Value) -> [$[, lists:join($,, [encode(Element) || Element <- Value]), $]];
encode(Value) when is_map(Value) ->
    [${, lists:join($,, [[string(key(Key)), $:, encode(Member)] || {Key, Member} <- maps:to_list(Value)]), $}].

%% Private: reading

error_at(Why, Text, Left) -> {error, io_lib:format("~s at byte ~b", [Why, byte_size(Text) - byte_size(Left)])}.

skip(<<C, Rest/binary>>) when ?IS_SPACE(C) -> skip(Rest);
skip(Rest) -> Rest.

value(Left, Depth) when Depth > ?MAX_DEPTH -> throw({"nested too deep", Left});
value(<<${, Rest/binary>>, Depth) -> object(skip(Rest), Depth + 1, #{});
value(<<$[, Rest/binary>>, Depth) -> array(skip(Rest), Depth + 1, []);
value(<<$", Rest/binary>>, _) -> text(Rest, Rest, 0, []);
value(<<"true", Rest/binary>>, _) -> {true, Rest};
value(<<"false", Rest/binary>>, _) -> {false, Rest};
value(<<"null", Rest/binary>>, _) -> {null, Rest};
value(<<C, _/binary>> = Left, _) when C =:= $-; ?IS_DIGIT(C) -> number(Left);
value(Left, _) -> throw({"no value", Left}).

object(<<$}, Rest/binary>>, _, Members) when map_size(Members) =:= 0 -> {Members, Rest};
object(<<$", Rest/binary>>, Depth, Members) ->
    {Key, AfterKey} = text(Rest, Rest, 0, []),
    {Value, Left} = value(skip(expect($:, skip(AfterKey))), Depth),
    case skip(Left) of
        <<$,, More/binary>> -> object(member(skip(More)), Depth, Members#{Key => Value});
        <<$}, After/binary>> -> {Members#{Key => Value}, After};
        Else -> throw({"neither comma nor brace", Else})
    end;
object(Left, _, _) -> throw({"no key", Left}).

%% After a comma one more member is required.
member(<<$", _/binary>> = Left) -> Left;
member(Left) -> throw({"no key", Left}).

array(<<$], Rest/binary>>, _, []) -> {[], Rest};
array(Left, Depth, Elements) ->
    {Value, AfterValue} = value(Left, Depth),
    case skip(AfterValue) of
        <<$,, More/binary>> -> array_on(skip(More), Depth, [Value | Elements]);
        <<$], After/binary>> -> {lists:reverse(Elements, [Value]), After};
        Else -> throw({"neither comma nor bracket", Else})
    end.

array_on(<<$], _/binary>> = Left, _, _) -> throw({"no value", Left});
array_on(Left, Depth, Elements) -> array(Left, Depth, Elements).

expect(C, <<C, Rest/binary>>) -> Rest;
expect(C, Left) -> throw({["no `", C, $`], Left}).

%% The string that begins at Start: Size bytes of it need no change, and Parts precede it, last
%% first.
text(<<$", Rest/binary>>, Start, Size, Parts) ->
    {iolist_to_binary(lists:reverse(Parts, [binary:part(Start, 0, Size)])), Rest};
text(<<$\\, Rest/binary>>, Start, Size, Parts) ->
    {Char, After} = escape(Rest),
    text(After, After, 0, [Char, binary:part(Start, 0, Size) | Parts]);
text(<<C, _/binary>> = Left, _, _, _) when C < 16#20 -> throw({"a control character in a string", Left});
text(<<C, Rest/binary>>, Start, Size, Parts) when C < 16#80 -> text(Rest, Start, Size + 1, Parts);
text(<<C/utf8, Rest/binary>>, Start, Size, Parts) -> text(Rest, Start, Size + width(C), Parts);
text(<<>>, _, _, _) -> throw({"a string without end", <<>>});
text(Left, _, _, _) -> throw({"not UTF-8", Left}).

width(C) when C < 16#800 -> 2;
width(C) when C < 16#10000 -> 3;
width(_) -> 4.

escape(<<$u, Hex:4/binary, Rest/binary>> = Left) ->
    case {unit(Hex, Left), Rest} of
        {High, <<"\\u", Next:4/binary, After/binary>>} when High >= 16#D800, High < 16#DC00 ->
            case unit(Next, Left) of
                Low when Low >= 16#DC00, Low < 16#E000 ->
                    {<<(16#10000 + ((High band 16#3FF) bsl 10) + (Low band 16#3FF))/utf8>>, After};
                _ -> throw({"half a surrogate pair", Left})
            end;
        {Half, _} when Half >= 16#D800, Half < 16#E000 -> throw({"half a surrogate pair", Left});
        {Char, _} -> {<<Char/utf8>>, Rest}
    end;
escape(<<C, Rest/binary>> = Left) ->
    case C of
        $" -> {<<$">>, Rest};
        $\\ -> {<<$\\>>, Rest};
        $/ -> {<<$/>>, Rest};
        $b -> {<<$\b>>, Rest};
        $f -> {<<$\f>>, Rest};
        $n -> {<<$\n>>, Rest};
        $r -> {<<$\r>>, Rest};
        $t -> {<<$\t>>, Rest};
        _ -> throw({"not a valid escape", Left})
    end;
escape(<<>>) -> throw({"a string without end", <<>>}).

unit(Hex, Left) ->
    IsHex = fun(C) -> ?IS_DIGIT(C) orelse (C >= $a andalso C =< $f) orelse (C >= $A andalso C =< $F) end,
    case lists:all(IsHex, binary_to_list(Hex)) of
        true -> binary_to_integer(Hex, 16);
        false -> throw({"not a valid escape", Left})
    end.

%% -? digits without a leading zero, then a fraction, then an exponent.
number(Left) ->
    {Integer, AfterInteger} = integer(Left),
    {Fraction, AfterFraction} = fraction(AfterInteger),
    {Exponent, Rest} = exponent(AfterFraction),
    case byte_size(Left) - byte_size(Rest) =< ?MAX_NUMBER of
        true -> {to_number(Integer, Fraction, Exponent, Left), Rest};
        false -> throw({"a number too long", Left})
    end.

to_number(Integer, <<>>, <<>>, _) -> binary_to_integer(Integer);
to_number(Integer, <<>>, Exponent, Left) -> to_number(Integer, <<".0">>, Exponent, Left);
to_number(Integer, Fraction, Exponent, Left) ->
    try binary_to_float(<<Integer/binary, Fraction/binary, Exponent/binary>>)
    catch error:badarg -> throw({"a number too large", Left})
    end.

integer(<<$-, Rest/binary>>) ->
    {Digits, After} = natural(Rest),
    {<<$-, Digits/binary>>, After};
integer(Left) -> natural(Left).

natural(<<$0, Rest/binary>>) -> {<<$0>>, Rest};
natural(Left) -> digits(Left).

fraction(<<$., Rest/binary>>) ->
    {Digits, After} = digits(Rest),
    {<<$., Digits/binary>>, After};
fraction(Rest) -> {<<>>, Rest}.

exponent(<<E, Sign, Rest/binary>>) when E =:= $e orelse E =:= $E, Sign =:= $- orelse Sign =:= $+ ->
    {Digits, After} = digits(Rest),
    {<<$e, Sign, Digits/binary>>, After};
exponent(<<E, Rest/binary>>) when E =:= $e; E =:= $E ->
    {Digits, After} = digits(Rest),
    {<<$e, Digits/binary>>, After};
exponent(Rest) -> {<<>>, Rest}.

digits(Left) ->
    case count(Left, 0) of
        0 -> throw({"no digit", Left});
        Size ->
            <<Digits:Size/binary, Rest/binary>> = Left,
            {Digits, Rest}
    end.

count(<<C, Rest/binary>>, Size) when ?IS_DIGIT(C) -> count(Rest, Size + 1);
count(_, Size) -> Size.

%% Private: writing

key(Key) when is_atom(Key) -> atom_to_binary(Key);
key(Key) -> Key.

string(Text) -> [$", plain(Text, Text, 0, []), $"].

%% As text/4.
plain(<<C, Rest/binary>>, Start, Size, Parts) when C < 16#20; C =:= $"; C =:= $\\ ->
    plain(Rest, Rest, 0, [escaped(C), binary:part(Start, 0, Size) | Parts]);
plain(<<_, Rest/binary>>, Start, Size, Parts) -> plain(Rest, Start, Size + 1, Parts);
plain(<<>>, Start, _, []) -> Start;
plain(<<>>, Start, _, Parts) -> lists:reverse(Parts, [Start]).

escaped($") -> "\\\"";
escaped($\\) -> "\\\\";
escaped($\n) -> "\\n";
escaped($\r) -> "\\r";
escaped($\t) -> "\\t";
escaped(C) -> io_lib:format("\\u~4.16.0b", [C]).
