//! Bans on DynamoDB: all of a user's in one partition.

use hubbub_core::ports::{Bans, PortResult};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::UserId;
use hubbub_core::wire::time::Timestamp;

use super::Table;
use super::item::attribute::UNTIL;
use super::item::{bans_key, read_number, write_ban};

impl Bans for Table {
    async fn put_ban(&self, user: &UserId, channel: &Channel, until: Timestamp) -> PortResult<()> {
        self.put(write_ban(user, channel, until)).await.map(drop)
    }

    async fn remove_ban(&self, user: &UserId, channel: &Channel) -> PortResult<()> {
        self.delete(bans_key(user), channel.to_string()).await.map(drop)
    }

    async fn ban(&self, user: &UserId, channel: &Channel, now: Timestamp) -> PortResult<Option<Timestamp>> {
        let row = self.get(bans_key(user), channel.to_string()).await?;
        let until = row.map(|row| read_number(&row, UNTIL).map(Timestamp)).transpose()?;
        Ok(until.filter(|until| now < *until))
    }
}
