//! The templates: embedded, or overridden file by file from a directory.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tera::{Context, ErrorKind, Tera};

/// The embedded templates: file name, text.
const EMBEDDED: &[(&str, &str)] = &[
    (
        "haproxy.cfg.tera",
        include_str!("../../templates/haproxy.cfg.tera"),
    ),
    (
        "cluster.config.tera",
        include_str!("../../templates/cluster.config.tera"),
    ),
    ("nginx.conf.tera", include_str!("../../templates/nginx.conf.tera")),
    ("load_test.html", include_str!("../../templates/load_test.html")),
];

/// Where templates come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates {
    directory: Option<PathBuf>,
}

/// A configuration that cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template cannot be read.
    #[error("cannot read template `{}`: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A template is wrong, in its syntax or in what it asks for.
    #[error("{place}: {why}")]
    Template {
        /// File and line, as `DIR/haproxy.cfg.tera:12`.
        place: String,
        /// What is wrong there.
        why: String,
    },
}

impl RenderError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            RenderError::Unreadable { .. } => Some("make it readable, or leave `--templates` out".to_owned()),
            RenderError::Template { .. } => {
                Some("correct the template, or remove it to use the built-in one".to_owned())
            }
        }
    }
}

impl Templates {
    /// The templates inside this binary.
    #[must_use]
    pub fn embedded() -> Templates {
        Templates::default()
    }

    /// Those in `directory`; files that are not there are taken from inside this binary.
    #[must_use]
    pub fn overridden_by(directory: impl Into<PathBuf>) -> Templates {
        Templates {
            directory: Some(directory.into()),
        }
    }

    /// Fills the template called `name` with what `view` says.
    ///
    /// # Errors
    /// When an override cannot be read, or the template cannot be parsed or filled.
    pub fn render(&self, name: &str, view: &impl Serialize) -> Result<String, RenderError> {
        let (file, text) = self.find(name)?;
        let broken = |error: &tera::Error| explain(&file, error);
        let mut tera = Tera::default();
        // As it is written first, so that errors are found where they stand.
        for text in [text.as_str(), &without_tag_lines(&text)] {
            tera.add_raw_template(name, text)
                .map_err(|error| broken(&error))?;
        }
        let context = Context::from_serialize(view).map_err(|error| broken(&error))?;
        tera.render(name, &context).map_err(|error| broken(&error))
    }

    // Private

    /// The template's path, for messages, and its text.
    fn find(&self, name: &str) -> Result<(PathBuf, String), RenderError> {
        if let Some(directory) = &self.directory {
            let path = directory.join(name);
            match std::fs::read_to_string(&path) {
                // A balancer takes a byte order mark for a word.
                Ok(text) => return Ok((path, text.trim_start_matches('\u{feff}').to_owned())),
                // The directory itself must be there: a wrong name must not silently mean the built-in templates.
                Err(source) if source.kind() == io::ErrorKind::NotFound && directory.is_dir() => {}
                Err(source) => return Err(RenderError::Unreadable { path, source }),
            }
        }
        let embedded = EMBEDDED.iter().find(|(embedded, _)| *embedded == name);
        let text = embedded.map(|(_, text)| (*text).to_owned());
        text.map(|text| (Path::new(name).to_owned(), text))
            .ok_or_else(|| RenderError::Unreadable {
                path: name.into(),
                source: io::ErrorKind::NotFound.into(),
            })
    }
}

// Private

/// Lines that hold nothing but a tag leave no empty line behind: their line break moves into the tag, where it counts
/// for the line numbers of messages and prints nothing.
fn without_tag_lines(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let tag = line.trim();
        let alone = tag.starts_with("{%") && tag.matches("{%").count() == 1;
        match tag.strip_suffix("%}") {
            Some(tag) if alone && line.ends_with('\n') => {
                joined.push_str(tag);
                joined.push_str("\n%}");
            }
            _ => joined.push_str(line),
        }
    }
    joined
}

fn explain(file: &Path, error: &tera::Error) -> RenderError {
    let (line, why) = match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
            (Some(report.span().start_line), report.message().to_owned())
        }
        // Unknown filters and functions come as a report that is text already.
        other => read_report(&other.to_string()),
    };
    let place = match line {
        Some(line) => format!("{}:{line}", file.display()),
        None => file.display().to_string(),
    };
    RenderError::Template { place, why }
}

/// The line and the message of a report as Tera prints it: `error: MESSAGE`, then ` --> FILE:LINE:COLUMN`.
fn read_report(text: &str) -> (Option<usize>, String) {
    let first = text.lines().next().unwrap_or_default();
    let line = text.lines().find_map(|line| {
        let place = line.trim_start().strip_prefix("--> ")?;
        place.rsplit(':').nth(1)?.parse().ok()
    });
    (line, first.strip_prefix("error: ").unwrap_or(first).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct View {
        name: &'static str,
    }

    fn rendered(text: &str) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("haproxy.cfg.tera"), text).unwrap();
        let templates = Templates::overridden_by(directory.path());
        templates
            .render("haproxy.cfg.tera", &View { name: "a" })
            .map_err(|error| {
                error
                    .to_string()
                    .replace(&directory.path().display().to_string(), "DIR")
            })
    }

    #[test]
    fn an_override_is_used() {
        assert_eq!(rendered("hello {{ name }}").unwrap(), "hello a");
    }

    #[test]
    fn a_line_with_only_a_tag_prints_nothing() {
        let text = "one\n  {% if name %}\n  {{ name }}\n  {% endif %}\n\n{% if name %}x{% endif %}\n";
        assert_eq!(rendered(text).unwrap(), "one\n  a\n\nx\n");
    }

    #[test]
    fn a_broken_override_is_named_with_its_line() {
        let syntax = rendered("one\ntwo\n{{ name\n").unwrap_err();
        assert!(syntax.starts_with("DIR/haproxy.cfg.tera:"), "{syntax}");
        let tag = rendered("one\n\n{% if %}\n").unwrap_err();
        assert!(tag.starts_with("DIR/haproxy.cfg.tera:3: "), "{tag}");
        let unknown = rendered("one\n{{ nothing }}\n").unwrap_err();
        assert!(unknown.starts_with("DIR/haproxy.cfg.tera:2: "), "{unknown}");
        let filter = rendered("one\ntwo\n{{ name | nofilter }}\n").unwrap_err();
        assert!(filter.starts_with("DIR/haproxy.cfg.tera:3: "), "{filter}");
    }

    #[test]
    fn a_directory_without_the_file_leaves_the_embedded_one_but_must_exist() {
        let directory = tempfile::tempdir().unwrap();
        let view = View { name: "a" };
        let error = Templates::overridden_by(directory.path())
            .render("haproxy.cfg.tera", &view)
            .unwrap_err();
        assert!(error.to_string().starts_with("haproxy.cfg.tera:"), "{error}");
        let error = Templates::overridden_by(directory.path().join("missing"))
            .render("haproxy.cfg.tera", &view)
            .unwrap_err();
        assert!(matches!(error, RenderError::Unreadable { .. }), "{error}");
        assert!(error.hint().is_some());
    }
}
