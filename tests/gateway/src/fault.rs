//! What goes wrong with a connection.

use std::time::Duration;

/// How much longer a slow connection's answers take.
const SLOW: Duration = Duration::from_millis(200);

/// What goes wrong with a connection's posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 410: the socket isn't there.
    Gone,
    /// 403: the id was never given out.
    Forbidden,
    /// 413: the body is too large for this one.
    TooLarge,
    /// 429: the client doesn't read.
    Throttled,
    /// 500.
    Broken,
    /// Never answered; the HTTP connection stays open.
    Hang,
    /// Answered much later, but well.
    Slow(Duration),
    /// The HTTP connection is closed in the place of an answer.
    Cut,
}

impl Fault {
    /// The fault that an id asks for by how it begins (`gone-7`, `hang-1`), and whether only its first post is meant
    /// (`broken-once-3`).
    #[must_use]
    pub fn of_id(id: &str) -> Option<(Self, bool)> {
        let (kind, rest) = id.split_once('-')?;
        let fault = match kind {
            "gone" => Self::Gone,
            "forbidden" => Self::Forbidden,
            "large" => Self::TooLarge,
            "throttled" => Self::Throttled,
            "broken" => Self::Broken,
            "hang" => Self::Hang,
            "slow" => Self::Slow(SLOW),
            "cut" => Self::Cut,
            _ => return None,
        };
        Some((fault, rest.starts_with("once-")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, expected: Option<(Fault, bool)>) {
        assert_eq!(Fault::of_id(id), expected, "{id}");
    }

    #[test]
    fn an_id_asks_for_its_fault_by_how_it_begins() {
        check("gone-1", Some((Fault::Gone, false)));
        check("throttled-once-1", Some((Fault::Throttled, true)));
        check("gone", None);
        check("L0SM9cOFvHcCIhw=", None);
    }
}
