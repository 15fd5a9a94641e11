//! `show info`, and the parameters of its output.

use std::fmt::Write as _;

use super::super::answer::Answer;
use super::super::info::fields;
use super::super::line::Words;
use super::super::subject::Subject;
use super::stat::Format;

pub(super) fn show<S: Subject>(words: &Words, subject: &S) -> Answer {
    let fields = fields(&subject.process());
    let mut text = String::new();
    match Format::wanted(words.from(2)) {
        Format::Json => {
            text.push('[');
            for (index, field) in fields.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                field.json("", &mut text);
            }
            text.push_str("]\n");
        }
        Format::Typed { described } => fields
            .iter()
            .for_each(|field| field.typed("", described, &mut text)),
        Format::Plain { described } => {
            for field in &fields {
                let _infallible = write!(text, "{}: {}", field.name, field.value.plain());
                if described {
                    let _infallible = write!(text, ":\"{}\"", field.help);
                }
                text.push('\n');
            }
        }
    }
    Answer::figures(text)
}
