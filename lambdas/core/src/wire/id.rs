//! Ids: parsed once at the door, then carried as types.
//!
//! Room, user and message ids come from people and go into FIFO group ids and execution names; connection ids come from API
//! Gateway; epochs and leases are made here from the strings of the port `Ids`.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The longest room, user or message id, in bytes.
pub const MAX_ID_BYTES: usize = 64;

/// A string that isn't an id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not an id: use 1 to 64 of the characters A-Z a-z 0-9 . _ : -")]
pub struct InvalidId(String);

/// What an id may hold beside ASCII letters and digits. The hyphen is last, so that a pattern's brackets can hold them as they are.
pub(crate) const ID_MARKS: &str = "._:-";

/// Whether a byte may be in an id.
pub(crate) fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || ID_MARKS.as_bytes().contains(&byte)
}

/// Checks the form that room, user and message ids share.
fn parse_id(text: &str) -> Result<String, InvalidId> {
    if !text.is_empty() && text.len() <= MAX_ID_BYTES && text.bytes().all(is_id_byte) {
        return Ok(text.to_owned());
    }
    Err(InvalidId(excerpt(text, MAX_ID_BYTES + 1)))
}

/// The beginning of a text from outside, for an error that repeats it. It is cut because an attacker chooses its length; and control
/// characters are replaced because the error becomes an attribute of a dead letter, and SQS takes none of them.
pub(crate) fn excerpt(text: &str, chars: usize) -> String {
    let is_taken = |character: &char| !character.is_control() && !matches!(character, '\u{fffe}' | '\u{ffff}');
    let shown = |character: char| Some(character).filter(is_taken).unwrap_or(char::REPLACEMENT_CHARACTER);
    text.chars().take(chars).map(shown).collect()
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses an id.
            ///
            /// # Errors
            /// When it doesn't match `[A-Za-z0-9._:-]{1,64}`.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                parse_id(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        opaque!(@text $name);
    };
}

macro_rules! opaque {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(String);

        impl $name {
            /// Takes the string as it is: it comes from a part that makes no others.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }
        }

        opaque!(@text $name);
    };
    (@text $name:ident) => {
        impl $name {
            /// The text as it is written on the wire and in the table.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id! {
    /// A room's id.
    RoomId
}
id! {
    /// A user's id: the `sub` of a token. Services have one too: the name by which they publish.
    UserId
}
id! {
    /// A message's id, unique in its channel for its sender.
    MessageId
}
impl MessageId {
    /// An id that is the same exactly when the text is.
    #[must_use]
    pub fn digest(text: &str) -> Self {
        Self(digest(text))
    }
}

/// 64 hexadecimal digits that stand for a text, however long it is. SQS's ids take 128 characters, and [`MAX_ID_BYTES`] says what ours do.
pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

opaque! {
    /// A connection's id, as API Gateway gives it. It may hold `=`, `+` and `/`.
    ConnectionId
}
opaque! {
    /// One life of a channel's log.
    Epoch
}
opaque! {
    /// Who holds a channel's broadcast, which is also the execution's name; made by [`crate::log::lease`].
    LeaseId
}
opaque! {
    /// A process that posts.
    SenderId
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, valid: bool) {
        assert_eq!(RoomId::parse(text).is_ok(), valid, "{text:?}");
    }

    #[test]
    fn an_id_has_1_to_64_of_the_allowed_characters() {
        check("lobby", true);
        check("A.b_c:d-9", true);
        check(&"x".repeat(64), true);
        check("", false);
        check(&"x".repeat(65), false);
        check("two words", false);
        check("straße", false);
        check("a/b", false);
        check("a\n", false);
    }

    #[test]
    fn the_error_repeats_the_input_but_not_all_of_a_long_one() {
        let error = RoomId::parse(&"é".repeat(10_000)).unwrap_err();
        assert!(error.to_string().len() < 250);
    }

    #[test]
    fn the_error_holds_no_character_that_sqs_refuses() {
        let error = RoomId::parse("a\0b\u{7f}\u{ffff}\n").unwrap_err();
        assert!(error.to_string().starts_with("`a\u{fffd}b\u{fffd}\u{fffd}\u{fffd}` is not an id"), "{error}");
    }

    #[test]
    fn ids_are_checked_when_they_are_deserialized() {
        assert!(serde_json::from_str::<UserId>(r#""alice""#).is_ok());
        assert!(serde_json::from_str::<UserId>(r#""al ice""#).is_err());
    }
}
