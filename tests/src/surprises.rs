//! Events that a smooth run doesn't have: how often each kind came, and one example.

use std::collections::BTreeMap;

use crate::figures::counted;

#[derive(Clone, Debug, Default)]
pub struct Surprises(BTreeMap<&'static str, (u64, String)>);

impl Surprises {
    /// Notes one more of a kind, which is named in the singular. The first example is kept.
    pub fn note(&mut self, kind: &'static str, example: impl Into<String>) {
        self.0.entry(kind).or_insert_with(|| (0, example.into())).0 += 1;
    }

    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let sentences = self.0.iter();
        sentences
            .map(|(kind, (count, example))| format!("{}; one of them: {example}.", counted(*count, kind)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_a_sentence_with_its_first_example() {
        let mut surprises = Surprises::default();
        surprises.note("log reset", "`room:a`");
        surprises.note("log reset", "`room:b`");
        assert_eq!(surprises.sentences(), ["2 log resets; one of them: `room:a`."]);
    }
}
