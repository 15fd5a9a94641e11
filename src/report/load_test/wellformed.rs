//! Whether a text is well-formed XML, as far as the reports need it: each element closed, in order,
//! each attribute quoted, no stray `<` or `&`. No CDATA, no processing instructions.

/// Checks the text. Returns the error and its place.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.strip_prefix("<!DOCTYPE html>").unwrap_or(text);
    while let Some(start) = rest.find('<') {
        references(&rest[..start])?;
        let end = rest[start..].find('>').ok_or("a tag that does not end")? + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some(opened) if opened == name => {}
                other => return Err(format!("</{name}> ends {other:?}")),
            }
        } else {
            let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let name = element(tag)?;
            if !empty {
                open.push(name);
            }
        }
    }
    references(rest)?;
    if open.is_empty() {
        Ok(())
    } else {
        Err(format!("never ended: {open:?}"))
    }
}

// Private

/// The name of an element, checked to have only quoted attributes, each only once.
fn element(tag: &str) -> Result<&str, String> {
    let end = tag.find(char::is_whitespace).unwrap_or(tag.len());
    let (name, mut attributes) = tag.split_at(end);
    if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(format!("no name: <{tag}>"));
    }
    let mut seen = Vec::new();
    while !attributes.trim().is_empty() {
        let (key, value) = attributes.split_once("=\"").ok_or(format!("no value: <{tag}>"))?;
        let (value, after) = value
            .split_once('"')
            .ok_or(format!("no end of a value: <{tag}>"))?;
        references(value)?;
        if seen.contains(&key.trim()) || !key.starts_with(char::is_whitespace) {
            return Err(format!("attribute `{key}` of <{tag}>"));
        }
        seen.push(key.trim());
        attributes = after;
    }
    Ok(name)
}

fn references(text: &str) -> Result<(), String> {
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if let Some(c) = text
        .chars()
        .find(|c| control(*c) || matches!(c, '\u{fffe}' | '\u{ffff}'))
    {
        return Err(format!("{c:?} is not a character of XML"));
    }
    for (place, _) in text.match_indices('&') {
        let name = text[place + 1..].split(';').next().unwrap_or_default();
        let number = name.strip_prefix('#').is_some_and(|number| number.len() > 1);
        if !number && !["amp", "lt", "gt", "quot", "apos"].contains(&name) {
            return Err(format!(
                "a stray & before `{}`",
                &name.chars().take(20).collect::<String>()
            ));
        }
    }
    Ok(())
}

#[test]
fn malformed_text_is_found() {
    assert_eq!(check("<!DOCTYPE html><a b=\"1\"><c/>x &lt; y</a>"), Ok(()));
    for wrong in [
        "<a>",
        "</a>",
        "<a><b></a></b>",
        "<a b=1></a>",
        "<a b=\"1\" b=\"2\"/>",
        "<a>&</a>",
        "<a>&nbsp;</a>",
        "<a",
        "< a/>",
        "<a>\x1b</a>",
    ] {
        assert!(check(wrong).is_err(), "{wrong}");
    }
}
