//! Senders at work on DynamoDB: a row for each, in one partition.

use hubbub_core::ports::{PortResult, Senders};
use hubbub_core::wire::id::SenderId;
use hubbub_core::wire::time::Timestamp;

use super::Table;
use super::item::attribute::UNTIL;
use super::item::{SENDERS, read_number, write_sender};
use crate::error::port_error;

impl Senders for Table {
    async fn at_work(&self, sender: &SenderId, until: Timestamp, now: Timestamp) -> PortResult<u32> {
        self.put(write_sender(sender, until)).await?;
        self.count_at_work(now).await
    }

    async fn at_rest(&self, sender: &SenderId) -> PortResult<()> {
        self.delete(SENDERS.to_owned(), sender.to_string()).await.map(drop)
    }

    async fn is_any_at_work(&self, now: Timestamp) -> PortResult<bool> {
        Ok(self.count_at_work(now).await? > 0)
    }
}

impl Table {
    async fn count_at_work(&self, now: Timestamp) -> PortResult<u32> {
        // There are hundreds of rows at most, and one answer holds many more.
        let answer =
            self.query(SENDERS.to_owned()).send().await.map_err(|error| port_error("dynamodb:Query", &error))?;
        let mut senders = 0;
        for row in answer.items() {
            senders += u32::from(now.0 < read_number(row, UNTIL)?);
        }
        Ok(senders)
    }
}
