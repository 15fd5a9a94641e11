//! Request lines, hosts and bytes that two readers could read in two ways.

use super::forward::{Outcome, forward};
use super::smuggling::{BAD, Case, VERSION, check, check_one, whole};

#[test]
fn request_lines_have_one_reading() {
    let cases: &[Case] = &[
        ("path", "GET /a HTTP/1.1\r\nHost: a\r\n", whole("")),
        ("absolute", "GET http://a/b HTTP/1.1\r\nHost: a\r\n", whole("")),
        (
            "absolute, other case and port",
            "GET HTTP://A:80/b HTTP/1.1\r\nHost: a\r\n",
            whole(""),
        ),
        (
            "escaped line end",
            "GET /a%0d%0aHost:%20b HTTP/1.1\r\nHost: a\r\n",
            whole(""),
        ),
        ("escaped NUL", "GET /%00 HTTP/1.1\r\nHost: a\r\n", whole("")),
        (
            "URL in the query",
            "GET /?u=http://b/ HTTP/1.1\r\nHost: a\r\n",
            whole(""),
        ),
        ("old without host", "GET / HTTP/1.0\r\nA: b\r\n", whole("")),
        (
            "absolute, other host",
            "GET http://b/ HTTP/1.1\r\nHost: a\r\n",
            BAD,
        ),
        (
            "absolute, user as host",
            "GET http://a@b/ HTTP/1.1\r\nHost: a\r\n",
            BAD,
        ),
        (
            "absolute, other port",
            "GET http://a:8080/ HTTP/1.1\r\nHost: a\r\n",
            BAD,
        ),
        (
            "absolute, other scheme",
            "GET gopher://a/ HTTP/1.1\r\nHost: a\r\n",
            BAD,
        ),
        ("absolute without host", "GET http://a/ HTTP/1.0\r\nA: b\r\n", BAD),
        ("authority", "GET a:80 HTTP/1.1\r\nHost: a:80\r\n", BAD),
        ("asterisk", "GET * HTTP/1.1\r\nHost: a\r\n", BAD),
        ("fragment", "GET /#b HTTP/1.1\r\nHost: a\r\n", BAD),
        ("at sign", "GET @b/ HTTP/1.1\r\nHost: a\r\n", BAD),
        ("relative", "GET a/b HTTP/1.1\r\nHost: a\r\n", BAD),
        ("no target", "GET HTTP/1.1\r\nHost: a\r\n", BAD),
        ("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n", BAD),
        ("space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n", BAD),
        ("tabs", "GET\t/\tHTTP/1.1\r\nHost: a\r\n", BAD),
        ("tab in the target", "GET /\tb HTTP/1.1\r\nHost: a\r\n", BAD),
        ("NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a\r\n", BAD),
        ("overlong", "GET /\u{c0} HTTP/1.1\r\nHost: a\r\n", BAD),
        (
            "version in the target",
            "GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n",
            BAD,
        ),
        ("space behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n", BAD),
        ("no version", "GET /\r\nHost: a\r\n", BAD),
        ("other protocol", "GET / RTSP/1.0\r\nHost: a\r\n", BAD),
        ("lower case", "GET / http/1.1\r\nHost: a\r\n", BAD),
        ("zeros in the version", "GET / HTTP/01.1\r\nHost: a\r\n", BAD),
        ("no minor version", "GET / HTTP/1\r\nHost: a\r\n", BAD),
        ("1.2", "GET / HTTP/1.2\r\nHost: a\r\n", VERSION),
        ("0.9", "GET / HTTP/0.9\r\nHost: a\r\n", VERSION),
        ("2.0", "PRI * HTTP/2.0\r\n", VERSION),
        ("LF", "GET / HTTP/1.1\nHost: a\r\n", BAD),
        ("CR", "GET / HTTP/1.1\rHost: a\r\n", BAD),
        ("CR before the method", "\rGET / HTTP/1.1\r\nHost: a\r\n", BAD),
        ("LF before the method", "\nGET / HTTP/1.1\r\nHost: a\r\n", BAD),
        ("space before the method", " GET / HTTP/1.1\r\nHost: a\r\n", BAD),
        ("bad method", "GE(T) / HTTP/1.1\r\nHost: a\r\n", BAD),
        ("colon in the method", "GET: / HTTP/1.1\r\nHost: a\r\n", BAD),
        ("folded request line", "GET /\r\n HTTP/1.1\r\nHost: a\r\n", BAD),
    ];
    check("", cases, "\r\n");
}

#[test]
fn hosts_have_one_reading() {
    let cases: &[Case] = &[
        ("name", "Host: a", whole("")),
        ("port", "Host: a:8080", whole("")),
        ("address", "Host: [::1]:8080", whole("")),
        ("empty", "Host:", whole("")),
        ("spaces around", "Host:  a \t", whole("")),
        (
            "similar names",
            "Host: a\r\nX-Host: b\r\nX-Forwarded-Host: c\r\nHosts: d",
            whole(""),
        ),
        ("none", "X: y", BAD),
        ("twice", "Host: a\r\nHost: b", BAD),
        ("twice equal", "Host: a\r\nHost: a", BAD),
        ("twice, other case", "Host: a\r\nhOST: b", BAD),
        ("twice, one is empty", "Host:\r\nHost: a", BAD),
        ("list", "Host: a, b", BAD),
        ("list without space", "Host: a,b", BAD),
        ("space", "Host: a b", BAD),
        ("user", "Host: a@b", BAD),
        ("path", "Host: a/b", BAD),
        ("query", "Host: a?b", BAD),
        ("fragment", "Host: a#b", BAD),
        ("URL", "Host: http://a", BAD),
        ("backslash", "Host: a\\b", BAD),
        ("bad port", "Host: a:b", BAD),
        ("two ports", "Host: a:80:90", BAD),
        ("signed port", "Host: a:+80", BAD),
        ("large port", "Host: a:99999", BAD),
        ("port alone", "Host: :80", BAD),
        ("open bracket", "Host: [::1", BAD),
        ("behind a bracket", "Host: [::1]a", BAD),
        ("bare address", "Host: ::1", BAD),
        ("accent", "Host: \u{e4}", BAD),
        ("NUL", "Host: a\0b", BAD),
        ("folded", "Host: a\r\n b", BAD),
        ("folded before", "Host:\r\n a", BAD),
        ("space before the name", " Host: a", BAD),
        ("space before the colon", "Host : a", BAD),
        ("LF before another", "Host: a\nHost: b", BAD),
    ];
    check("GET / HTTP/1.1\r\n", cases, "\r\n\r\n");
}

#[test]
fn no_byte_hides_a_coding() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let name = &b"Transfer-Encoding"[..];
    for byte in (0..=0x20).chain(0x7f..=0xff_u8) {
        for (place, line) in [
            ("before the name", [&[byte], name, b": chunked"].concat()),
            ("behind the name", [name, &[byte], b": chunked"].concat()),
            ("before the value", [name, b":", &[byte], b"chunked"].concat()),
            ("behind the value", [name, b": chunked", &[byte]].concat()),
        ] {
            for (length, is_refused) in [("", false), ("Content-Length: 6\r\n", true)] {
                let head = b"POST / HTTP/1.1\r\nHost: a\r\n";
                let input = [
                    &head[..],
                    length.as_bytes(),
                    &line,
                    b"\r\n\r\n1\r\nZ\r\n0\r\n\r\n",
                ]
                .concat();
                let is_blank = matches!(byte, b' ' | b'\t') && place.ends_with("value");
                let (outcome, _) = forward(&input);
                let case = format!("{byte:#x} {place}");
                if is_blank && !is_refused {
                    check_one(&runtime, &case, &input, Some(&whole("Z")));
                } else {
                    assert!(
                        matches!(outcome, Outcome::Refused(400 | 501)),
                        "{case}: {outcome:?}"
                    );
                }
            }
        }
    }
}
