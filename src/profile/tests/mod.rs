//! Profiles as users write them: the resulting cluster or the messages.

mod contract;
mod hostile;
mod members;
mod nodes;
mod rules;
mod show;
mod wording;

use super::{Cluster, DEFAULT, Problems, Source, embedded, load};

/// A file called `p.yaml` in `/conf`, given in `/conf`.
fn file(text: &str) -> Source {
    Source {
        name: "p.yaml".to_owned(),
        text: text.to_owned(),
        sets: Vec::new(),
        port_offset: 0,
        directory: "/conf".into(),
    }
}

/// The default profile with `--set`s.
fn sets(sets: &[&str]) -> Source {
    Source {
        name: DEFAULT.to_owned(),
        text: embedded(DEFAULT).unwrap().to_owned(),
        sets: sets.iter().map(|set| (*set).to_owned()).collect(),
        ..file("")
    }
}

fn cluster(source: &Source) -> Cluster {
    load(source).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(source: &Source) -> Problems {
    match load(source) {
        Ok(_) => panic!("no problem with {source:?}"),
        Err(problems) => problems,
    }
}
