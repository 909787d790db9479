//! Frames that have no place in a log: presence and signals.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::channel::Channel;

/// The users in a room: the answer to a `join` that asked for presence, kept current by [`RoomPresence::apply`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RoomPresence {
    /// The number of users. While presence is paused, about the number of connections.
    pub count: u64,
    /// The users' ids. Empty while presence is paused.
    #[serde(default)]
    pub users: BTreeSet<String>,
    /// Whether presence is paused because the room is too large. It resumes when the room is small again.
    #[serde(default)]
    pub paused: bool,
    /// The time of the newest update that was applied, in milliseconds since 1970.
    #[serde(skip)]
    newest: i64,
}

impl RoomPresence {
    /// Applies an update, and returns the users who joined and the users who left. An update older than the newest one changes
    /// nothing.
    pub fn apply(&mut self, update: &Presence) -> (Vec<String>, Vec<String>) {
        if update.at < self.newest {
            return (Vec::new(), Vec::new());
        }
        let joined = update.users.difference(&self.users).cloned().collect();
        let left = self.users.difference(&update.users).cloned().collect();
        *self = Self { count: update.count, users: update.users.clone(), paused: update.paused, newest: update.at };
        (joined, left)
    }

    /// Takes the answer of another `join`, which has no time of its own.
    pub(crate) fn set(&mut self, now: Self) {
        *self = Self { newest: self.newest, ..now };
    }

    /// The update that leads from this state to the answer of another `join`, if the two differ.
    pub(crate) fn update_to(&self, room: &str, now: Self) -> Option<Presence> {
        let Self { count, users, paused, .. } = now;
        let has_changed = (self.count, self.paused, &self.users) != (count, paused, &users);
        has_changed.then(|| Presence { channel: Channel::room(room), at: self.newest, count, users, paused })
    }
}

/// The users in a room after some joined or left. [`RoomPresence::apply`] says which ones.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Presence {
    /// The room's channel.
    pub channel: Channel,
    /// The time of the observation, in milliseconds since 1970.
    pub at: i64,
    /// The number of users. While presence is paused, about the number of connections.
    pub count: u64,
    /// The users' ids. Empty while presence is paused.
    #[serde(default)]
    pub users: BTreeSet<String>,
    /// Whether presence is paused because the room has become too large.
    #[serde(default)]
    pub paused: bool,
}

/// A signal: sent once to connections that are open, and not kept.
#[derive(Clone, Debug, Deserialize)]
pub struct Signal {
    /// The channel: a room's, or the user's own.
    pub channel: Channel,
    /// The sender's user id.
    pub from: String,
    /// The time when the server accepted it, in milliseconds since 1970.
    pub at: i64,
    /// Any JSON value, byte for byte as the server sent it.
    pub body: Box<RawValue>,
}

impl Signal {
    /// Deserializes the body.
    ///
    /// # Errors
    /// Fails if the body is not a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.body.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_applies_updates_and_skips_older_ones() {
        let mut presence: RoomPresence = serde_json::from_str(r#"{"count":2,"users":["ana","ben"]}"#).unwrap();
        let mut apply = |rest: &str| {
            let text = format!(r#"{{"channel":"room:a",{rest}}}"#);
            let (joined, left) = presence.apply(&serde_json::from_str(&text).unwrap());
            (joined.join(","), left.join(","), presence.users.len(), presence.paused)
        };
        let expected = |joined: &str, left: &str, users, paused| (joined.to_owned(), left.to_owned(), users, paused);
        assert_eq!(apply(r#""at":2,"count":2,"users":["ana","cyd"]"#), expected("cyd", "ben", 2, false));
        assert_eq!(apply(r#""at":1,"count":1,"users":["ben"]"#), expected("", "", 2, false));
        assert_eq!(apply(r#""at":5,"count":101,"paused":true"#), expected("", "ana,cyd", 0, true));
        assert_eq!(apply(r#""at":6,"count":1,"users":["eve"]"#), expected("eve", "", 1, false));
    }
}
