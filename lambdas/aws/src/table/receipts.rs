//! Receipts on DynamoDB.

use hubbub_core::ports::{PortResult, Receipts};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{MessageId, UserId};
use hubbub_core::wire::server_frame::Receipt;
use hubbub_core::wire::time::Timestamp;

use super::Table;
use super::item::{is_expired, read_receipt, receipt_key, receipts_key, write_receipt};

impl Receipts for Table {
    async fn put_receipt(&self, from: &UserId, receipt: &Receipt, expires: Timestamp) -> PortResult<()> {
        self.put(write_receipt(from, receipt, expires)).await.map(drop)
    }

    async fn receipt(
        &self,
        channel: &Channel,
        from: &UserId,
        id: &MessageId,
        now: Timestamp,
    ) -> PortResult<Option<Receipt>> {
        let row = self.get(receipts_key(channel), receipt_key(from, id)).await?;
        row.filter(|row| !is_expired(row, now)).map(|row| read_receipt(channel, id, &row)).transpose()
    }
}
