//! Writes the Prometheus text format.
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>)

use std::fmt::{Display, Write};

/// Appends the lines before the samples of a metric. `kind` is the format's word, such as `gauge`.
pub fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _infallible = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

/// Appends a sample, with its labels in this order.
pub fn sample(text: &mut String, name: &str, labels: &[(&str, &str)], value: impl Display) {
    text.push_str(name);
    for (index, (label, value)) in labels.iter().enumerate() {
        let before = if index == 0 { '{' } else { ',' };
        let _infallible = write!(text, "{before}{label}=\"{}\"", escaped(value));
    }
    let end = if labels.is_empty() { "" } else { "}" };
    let _infallible = writeln!(text, "{end} {value}");
}

// Private

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_quoted() {
        let mut text = String::new();
        head(&mut text, "up", "gauge", "Is up.");
        sample(&mut text, "up", &[], 1);
        sample(&mut text, "up", &[("a", "b\\\"\n"), ("c", "")], 0.5);
        let expected = r#"# HELP up Is up.
# TYPE up gauge
up 1
up{a="b\\\"\n",c=""} 0.5
"#;
        assert_eq!(text, expected);
    }
}
