//! Users, and ids of messages.

/// The room that every client joins.
pub(crate) const ROOM: &str = "demo";
/// The user who is offline when a direct message is sent.
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
}
