//! What a user may do, and where: the capabilities of a token, and the one place where they are checked.
//!
//! A capability is a verb with patterns of what it is for: ids of rooms, or of users for [`Verb::Direct`]. A pattern is an id, or what
//! an id begins with and a `*`. What isn't granted is not allowed.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::id::{MAX_ID_BYTES, is_id_byte};

/// The most patterns of a verb.
pub const MAX_PATTERNS: usize = 100;

/// The longest that capabilities are as JSON, in bytes: the authorizer hands them on with every frame.
pub const MAX_CAPABILITIES_BYTES: usize = 4_096;

/// What a user may do somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Become a member of a room.
    Join,
    /// Publish to a room.
    Publish,
    /// Read a room's log.
    History,
    /// See who is a member of a room.
    Who,
    /// Send a user a direct message.
    Direct,
    /// Kick, ban, delete and close, in a room; with `*`, everywhere.
    Admin,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Join, Self::Publish, Self::History, Self::Who, Self::Direct, Self::Admin];
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Join => "join",
            Self::Publish => "publish",
            Self::History => "history",
            Self::Who => "who",
            Self::Direct => "direct",
            Self::Admin => "admin",
        })
    }
}

/// An id, or what ids begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    /// The id, or its beginning.
    text: String,
    /// Whether it is a beginning.
    is_open: bool,
}

/// Something that isn't a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a pattern: it must be an id, or the beginning of one and `*`")]
pub struct InvalidPattern(String);

impl TryFrom<String> for Pattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        let (start, is_open) = text.strip_suffix('*').map_or((text.as_str(), false), |start| (start, true));
        let is_valid = start.len() <= MAX_ID_BYTES && start.bytes().all(is_id_byte) && (is_open || !start.is_empty());
        if is_valid {
            Ok(Self { text: start.to_owned(), is_open })
        } else {
            Err(InvalidPattern(text.chars().take(MAX_ID_BYTES + 2).collect()))
        }
    }
}

impl From<Pattern> for String {
    fn from(Pattern { mut text, is_open }: Pattern) -> String {
        if is_open {
            text.push('*');
        }
        text
    }
}

impl Pattern {
    /// Every id.
    fn any() -> Self {
        Self { text: String::new(), is_open: true }
    }

    fn matches(&self, id: &str) -> bool {
        if self.is_open { id.starts_with(&self.text) } else { id == self.text }
    }
}

/// What a user may do, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Rooms that the user may join.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub join: Vec<Pattern>,
    /// Rooms that the user may publish to, as a member.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<Pattern>,
    /// Rooms whose log the user may read, as a member.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Pattern>,
    /// Rooms whose members the user may see, as a member.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub who: Vec<Pattern>,
    /// Users that the user may send direct messages to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub direct: Vec<Pattern>,
    /// Rooms that the user may kick from, ban from, delete in and close; with `*`, also users from everywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub admin: Vec<Pattern>,
}

/// Capabilities that can't be used.
#[derive(Debug, Error)]
pub enum InvalidCapabilities {
    /// They are not an object of lists of patterns.
    #[error("the capabilities are not an object of lists of patterns: {0}")]
    Form(#[from] serde_json::Error),
    /// There is too much of them.
    #[error(
        "the capabilities have more than {MAX_PATTERNS} patterns for a verb, or {MAX_CAPABILITIES_BYTES} bytes in all"
    )]
    TooLarge,
}

impl Capabilities {
    /// Everything that a member of a chat may do: all but `admin`, everywhere.
    #[must_use]
    pub fn of_a_member() -> Self {
        let anywhere = || vec![Pattern::any()];
        Self {
            join: anywhere(),
            publish: anywhere(),
            history: anywhere(),
            who: anywhere(),
            direct: anywhere(),
            admin: Vec::new(),
        }
    }

    /// Reads capabilities. Verbs that aren't known grant nothing.
    ///
    /// # Errors
    /// When they aren't an object of lists of patterns, or too many.
    pub fn parse(json: &str) -> Result<Self, InvalidCapabilities> {
        if json.len() > MAX_CAPABILITIES_BYTES {
            return Err(InvalidCapabilities::TooLarge);
        }
        // By way of an object, because serde would take a list for the fields in their order.
        let object: Map<String, Value> = serde_json::from_str(json)?;
        let capabilities: Self = serde_json::from_value(Value::Object(object))?;
        if Verb::ALL.iter().any(|verb| capabilities.patterns(*verb).len() > MAX_PATTERNS) {
            return Err(InvalidCapabilities::TooLarge);
        }
        Ok(capabilities)
    }

    fn patterns(&self, verb: Verb) -> &[Pattern] {
        match verb {
            Verb::Join => &self.join,
            Verb::Publish => &self.publish,
            Verb::History => &self.history,
            Verb::Who => &self.who,
            Verb::Direct => &self.direct,
            Verb::Admin => &self.admin,
        }
    }

    /// Whether a verb is granted for every id.
    #[must_use]
    pub fn is_granted_anywhere(&self, verb: Verb) -> bool {
        self.patterns(verb).contains(&Pattern::any())
    }

    /// Whether a verb is granted for a room's or a user's id.
    #[must_use]
    pub fn grant(&self, verb: Verb, id: &str) -> bool {
        self.patterns(verb).iter().any(|pattern| pattern.matches(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_an_id_or_a_beginning() {
        let parses = |text: &str| Pattern::try_from(text.to_owned()).is_ok();
        for good in ["lobby", "team-*", "*", "a:b.c_d-e"] {
            assert!(parses(good), "{good}");
        }
        for bad in ["", "a*b", "**", "two words", "straße", &"x".repeat(65)] {
            assert!(!parses(bad), "{bad}");
        }
    }

    #[test]
    fn capabilities_survive_being_handed_on() {
        let json = r#"{"join":["lobby","team-*"],"direct":["*"]}"#;
        let capabilities = Capabilities::parse(json).unwrap();
        assert_eq!(serde_json::to_string(&capabilities).unwrap(), json);
        let all = serde_json::to_string(&Capabilities::of_a_member()).unwrap();
        assert_eq!(Capabilities::parse(&all).unwrap(), Capabilities::of_a_member());
    }

    #[test]
    fn capabilities_that_are_malformed_or_too_large_are_refused() {
        for bad in ["", "[]", r#"{"join":"*"}"#, r#"{"join":["a*b"]}"#, r#"{"join":[1]}"#] {
            assert!(matches!(Capabilities::parse(bad), Err(InvalidCapabilities::Form(_))), "{bad}");
        }
        let many = serde_json::json!({ "join": vec!["a"; MAX_PATTERNS + 1] }).to_string();
        let long = serde_json::json!({ "join": vec!["a".repeat(64); 70] }).to_string();
        for bad in [many, long] {
            assert!(matches!(Capabilities::parse(&bad), Err(InvalidCapabilities::TooLarge)), "{bad}");
        }
        assert!(Capabilities::parse(r#"{"fly":["*"]}"#).is_ok(), "an unknown verb grants nothing");
    }
}
