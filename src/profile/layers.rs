//! The texts of a profile, the later ones laid over the earlier ones.

use serde_yaml::{Mapping, Value};

use super::layer::Layer;
use super::problem::Mark;
use super::spans::parent;

/// At least one layer; the first one is the defaults.
#[derive(Clone, Debug)]
pub(super) struct Layers(pub(super) Vec<Layer>);

impl Layers {
    /// All layers merged into one map: maps are merged, lists and single values replace.
    pub(super) fn merged(&self) -> Value {
        let mut merged = Value::Mapping(Mapping::new());
        for layer in &self.0 {
            merge(&mut merged, &layer.value);
        }
        merged
    }

    /// The default value of `path`.
    pub(super) fn default_of(&self, path: &str) -> Option<&Value> {
        let mut value = &self.0.first()?.value;
        for key in path.split('.') {
            value = value.get(key)?;
        }
        Some(value)
    }

    /// Points at the effective value of `path`, or at what encloses it where it was not written.
    pub(super) fn mark(&self, path: &str, label: impl Into<String>) -> Option<Mark> {
        let (layer, path) = self.written(path)?;
        let layer = &self.0[layer];
        let location = layer.locations.get(path)?;
        let value = layer.text.content.get(location.value.clone()).unwrap_or_default();
        let range = if value.trim().is_empty() || value.contains('\n') {
            &location.key
        } else {
            &location.value
        };
        Some(Mark::new(&layer.text, range.clone(), label))
    }

    /// The value of `path` itself as it is written, including quotes.
    pub(super) fn written_value(&self, path: &str) -> Option<&str> {
        let layer = self.0.iter().rfind(|layer| layer.locations.get(path).is_some())?;
        let location = layer.locations.get(path)?;
        layer.text.content.get(location.value.clone()).map(str::trim)
    }

    /// The number of the layer with the effective value of `path`: 0 for the defaults.
    pub(super) fn origin(&self, path: &str) -> usize {
        self.written(path).map_or(0, |(layer, _)| layer)
    }

    /// The topmost layer that contains `path`, or else what encloses it; and the path that it
    /// contains.
    fn written<'a>(&self, path: &'a str) -> Option<(usize, &'a str)> {
        let mut path = path;
        loop {
            let top = self
                .0
                .iter()
                .rposition(|layer| layer.locations.get(path).is_some());
            match top {
                Some(layer) => return Some((layer, path)),
                None => path = parent(path)?,
            }
        }
    }
}

// Private

fn merge(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Mapping(below), Value::Mapping(above)) => {
            for (key, value) in above {
                match below.get_mut(key) {
                    Some(slot) => merge(slot, value),
                    None => {
                        below.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (below, above) => *below = above.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(texts: &[&str]) -> Layers {
        let layer = |(index, text): (usize, &&str)| Layer::file(&index.to_string(), text).unwrap();
        Layers(texts.iter().enumerate().map(layer).collect())
    }

    #[test]
    fn maps_merge_and_everything_else_replaces() {
        let layers = layers(&["a: {b: 1, c: [1, 2]}\nd: null\n", "a: {c: [3]}\n", "d: {e: 1}\n"]);
        let expected: Value = serde_yaml::from_str("a: {b: 1, c: [3]}\nd: {e: 1}\n").unwrap();
        assert_eq!(layers.merged(), expected);
    }

    #[test]
    fn a_mark_points_at_the_effective_layer() {
        let layers = layers(&["a: {b: 1}\n", "a: {b: 22}\n", "c: 1\n"]);
        let mark = layers.mark("a.b", "").unwrap();
        assert_eq!((mark.text.name.as_str(), mark.range), ("1", 7..9));
        assert_eq!(layers.origin("a.b"), 1);
        assert_eq!(
            layers.mark("a.b.nothing", "").unwrap().range,
            7..9,
            "what encloses it"
        );
        assert!(layers.mark("nothing", "").is_none());
    }
}
