//! The word that was probably meant.

/// Below this similarity (Jaro-Winkler; 1 means equal) a suggestion is a guess.
const MIN_SIMILARITY: f64 = 0.8;

/// The word most similar to `written`, ignoring case, if any is similar enough. Of equally similar
/// words, the last one: a user who types `erlmcp5` has counted too far.
pub fn closest<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    words
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&written, word), word))
        .filter(|(alike, _)| *alike > MIN_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_word_or_none() {
        let known = ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"];
        assert_eq!(closest("erlmcp5", known), Some("erlmcp4"));
        assert_eq!(closest("ERLMCP2", known), Some("erlmcp2"));
        assert_eq!(closest("zebra", known), None);
        assert_eq!(closest("zebra", []), None);
    }
}
