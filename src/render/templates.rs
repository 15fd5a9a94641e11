//! The templates: embedded, or overridden file by file from a directory.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tera::{Context, ErrorKind, Tera};

/// The embedded templates: file name and text.
const EMBEDDED: &[(&str, &str)] = &[
    (
        "haproxy.cfg.tera",
        include_str!("../../templates/haproxy.cfg.tera"),
    ),
    (
        "cluster.config.tera",
        include_str!("../../templates/cluster.config.tera"),
    ),
    (
        "clusterctl.service.tera",
        include_str!("../../templates/clusterctl.service.tera"),
    ),
    (
        "Containerfile.tera",
        include_str!("../../templates/Containerfile.tera"),
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
    /// A template has a syntax error, or uses a value that does not exist.
    #[error("{place}: {why}")]
    Template {
        /// File and line, as `DIR/haproxy.cfg.tera:12`.
        place: String,
        /// What is wrong.
        why: String,
    },
}

impl RenderError {
    /// How to fix it.
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
    /// The templates in this binary.
    #[must_use]
    pub fn embedded() -> Templates {
        Templates::default()
    }

    /// The templates in `directory`; files that are missing there are taken from this binary.
    #[must_use]
    pub fn overridden_by(directory: impl Into<PathBuf>) -> Templates {
        Templates {
            directory: Some(directory.into()),
        }
    }

    /// Fills the template `name` with the values of `view`.
    ///
    /// # Errors
    /// When an override cannot be read, or the template cannot be parsed or filled.
    pub fn render(&self, name: &str, view: &impl Serialize) -> Result<String, RenderError> {
        let (file, text) = self.find(name)?;
        let broken = |error: &tera::Error| explain(&file, error);
        let mut tera = Tera::default();
        // First the unchanged text, so that errors are reported at their real position.
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
                // A balancer would read a byte order mark as a part of the first word.
                Ok(text) => return Ok((path, text.trim_start_matches('\u{feff}').to_owned())),
                // The directory itself must exist: a wrong name must not silently select the
                // embedded templates.
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

/// Lines that contain only a tag leave no empty line: their line break moves into the tag, where it
/// counts for the line numbers of messages and prints nothing.
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
        // Tera reports unknown filters and functions as text only.
        other => read_report(&other.to_string()),
    };
    let place = match line {
        Some(line) => format!("{}:{line}", file.display()),
        None => file.display().to_string(),
    };
    RenderError::Template { place, why }
}

/// The line and the message of a report that Tera prints: `error: MESSAGE`, then ` -->
/// FILE:LINE:COLUMN`.
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
    fn a_broken_override_is_reported_with_its_line() {
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
    fn a_missing_file_uses_the_embedded_template_and_the_directory_must_exist() {
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
