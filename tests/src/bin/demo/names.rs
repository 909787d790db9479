//! Who the users are, and which message is which.

/// The room that everybody joins.
pub(crate) const ROOM: &str = "demo";
/// The user who is away when a direct message is sent.
pub(crate) const AWAY: &str = "away";
/// The service that sends direct messages and broadcasts.
pub(crate) const SERVICE: &str = "demo-service";

/// Sockets in a group of ten users, of whom the last has two.
const GROUP: u32 = 11;

/// The user of a socket.
pub(crate) fn user_of(socket: u32) -> String {
    let user = socket / GROUP * (GROUP - 1) + (socket % GROUP).min(GROUP - 2);
    format!("user-{user:05}")
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// The room's message of this number, from 0.
    Room(u32),
    /// A direct message to a user, by its number.
    Direct(u32),
    /// The broadcast to everyone.
    Everyone,
}

impl Topic {
    /// The message's id. `run` keeps it apart from those of another demo on the same stack.
    pub(crate) fn id(self, run: &str) -> String {
        match self {
            Self::Room(number) => format!("{run}.room.{number}"),
            Self::Direct(number) => format!("{run}.direct.{number}"),
            Self::Everyone => format!("{run}.everyone.0"),
        }
    }

    /// Reads an id; nothing if it isn't of this run.
    pub(crate) fn parse(id: &str, run: &str) -> Option<Self> {
        let (kind, number) = id.strip_prefix(run)?.strip_prefix('.')?.split_once('.')?;
        let number = number.parse().ok()?;
        match kind {
            "room" => Some(Self::Room(number)),
            "direct" => Some(Self::Direct(number)),
            "everyone" => Some(Self::Everyone),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_user_has_two_sockets() {
        let users: Vec<String> = (0..22).map(user_of).collect();
        let devices = |user: &str| users.iter().filter(|other| *other == user).count();
        assert_eq!(users.iter().filter(|user| devices(user) == 1).count(), 18);
        assert_eq!((devices("user-00009"), devices("user-00019")), (2, 2));
        assert_eq!(users[21], "user-00019");
    }

    #[test]
    fn a_topic_is_read_as_it_is_written_and_other_runs_are_told_apart() {
        for topic in [Topic::Room(7), Topic::Direct(0), Topic::Everyone] {
            assert_eq!(Topic::parse(&topic.id("01A"), "01A"), Some(topic));
            assert_eq!(Topic::parse(&topic.id("01A"), "01B"), None);
        }
        assert_eq!(Topic::parse("01A.room", "01A"), None);
        assert_eq!(Topic::parse("01A.applause.1", "01A"), None);
    }
}
