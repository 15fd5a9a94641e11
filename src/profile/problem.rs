//! Everything that is wrong with a profile, reported at once: each problem with its position, the
//! line and a hint.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::masking::{masked, masked_set};
use annotate_snippets::{Annotation, AnnotationKind, Level, Renderer, Snippet};

/// The most problems that are shown: a person reads no more at once, and each one costs a walk
/// through its text.
const MAX_SHOWN: usize = 20;

/// Everything that is wrong with a profile; never empty.
#[derive(Clone, Debug)]
pub struct Problems(pub(super) Vec<Problem>);

/// One problem.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) message: String,
    /// The positions of the problem, each with a label. The first is the main one.
    pub(super) marks: Vec<Mark>,
    pub(super) hint: Option<String>,
}

/// A range in one of the texts of a profile.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) text: Arc<Text>,
    pub(super) range: Range<usize>,
    pub(super) label: String,
}

/// One of the texts of a profile: a file, the defaults, or a `--set`.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) name: String,
    pub(super) content: String,
    /// The content as it may be shown: of the same length, without the values of variables.
    shown: String,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>) -> Problem {
        Problem {
            message: message.into(),
            marks: Vec::new(),
            hint: None,
        }
    }

    pub(super) fn at(mark: Mark, message: impl Into<String>) -> Problem {
        Problem::new(message).mark(Some(mark))
    }

    /// Adds a position; the first one added is the main one.
    #[must_use]
    pub(super) fn mark(mut self, mark: Option<Mark>) -> Problem {
        self.marks.extend(mark);
        self
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }
}

impl Mark {
    /// A mark within one line of `text`, even if `range` is longer.
    pub(super) fn new(text: &Arc<Text>, range: Range<usize>, label: impl Into<String>) -> Mark {
        let content = text.content.as_str();
        let start = content.floor_char_boundary(range.start);
        let end = content.floor_char_boundary(range.end).max(start);
        // The search ends with the range, because a line can be as long as the text.
        let line_end = content[start..end].find(['\n', '\r']);
        let end = line_end.map_or(end, |length| start + length);
        Mark {
            text: Arc::clone(text),
            range: start..end,
            label: label.into(),
        }
    }
}

impl Text {
    /// A file's or the defaults' text.
    pub(super) fn new(name: &str, content: &str) -> Arc<Text> {
        Arc::new(Text {
            name: name.to_owned(),
            content: content.to_owned(),
            shown: masked(content),
        })
    }

    /// The text of a `--set`.
    pub(super) fn set(content: &str) -> Arc<Text> {
        Arc::new(Text {
            name: "command line".to_owned(),
            content: content.to_owned(),
            shown: masked_set(content),
        })
    }
}

impl Problems {
    /// Each problem's message alone, without position and hint.
    pub fn messages(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|problem| problem.message.as_str())
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    /// Every problem as a snippet of its text, with `hint:` below; if there are very many, only the
    /// first ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(MAX_SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        match self.0.len().saturating_sub(MAX_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} more"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = Level::ERROR
            .primary_title(&self.message)
            .elements(None::<Snippet<Annotation>>);
        let mut marks = self.marks.as_slice();
        while let Some(first) = marks.first() {
            // Marks in the same text are shown in one snippet.
            let together = marks
                .iter()
                .take_while(|mark| Arc::ptr_eq(&mark.text, &first.text))
                .count();
            let mut snippet = Snippet::source(&first.text.shown).path(&first.text.name);
            for (index, mark) in marks[..together].iter().enumerate() {
                let kind = if index == 0 {
                    AnnotationKind::Primary
                } else {
                    AnnotationKind::Context
                };
                let annotation = kind.span(mark.range.clone());
                snippet = snippet.annotation(if mark.label.is_empty() {
                    annotation
                } else {
                    annotation.label(&mark.label)
                });
            }
            group = group.element(snippet);
            marks = &marks[together..];
        }
        f.write_str(&Renderer::plain().render(&[group]))?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}
