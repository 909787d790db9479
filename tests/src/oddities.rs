//! What a smooth run doesn't have: how often each kind came, and one of them.

use std::collections::BTreeMap;

use crate::figures::counted;

/// What was noted, by kind.
#[derive(Clone, Debug, Default)]
pub struct Oddities(BTreeMap<&'static str, (u64, String)>);

impl Oddities {
    /// Notes one more of a kind, which is named in the singular. The first example is kept.
    pub fn note(&mut self, kind: &'static str, example: impl Into<String>) {
        self.0.entry(kind).or_insert_with(|| (0, example.into())).0 += 1;
    }

    /// A sentence for each kind.
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
        let mut oddities = Oddities::default();
        oddities.note("log reset", "`room:a`");
        oddities.note("log reset", "`room:b`");
        assert_eq!(oddities.sentences(), ["2 log resets; one of them: `room:a`."]);
    }
}
