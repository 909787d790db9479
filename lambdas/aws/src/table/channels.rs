//! The list of channels, for operators. No function reads the whole table.

use std::str::FromStr;

use hubbub_core::log::state::ChannelState;
use hubbub_core::names::table::{PARTITION_KEY, SORT_KEY};
use hubbub_core::ports::PortResult;
use hubbub_core::wire::channel::Channel;

use super::Table;
use super::item::attribute::{HEAD, SENT};
use super::item::{CHANNEL, Item, SELF, channel_key, number, read_channel, read_text, text};
use crate::error::{malformed, port_error};

/// A page of the table's channels.
#[derive(Clone, Debug, Default)]
pub struct ChannelPage {
    /// The channels, in no order.
    pub channels: Vec<(Channel, ChannelState)>,
    /// The rows that were read for them.
    pub rows: u64,
    /// Where the next page begins, if there is one.
    pub next: Option<ChannelCursor>,
}

/// A place in the table.
#[derive(Clone, Debug)]
pub struct ChannelCursor(Item);

impl Table {
    /// The channels of the next megabyte of rows, which costs 128 read units.
    ///
    /// # Errors
    /// When the table can't be read.
    pub async fn channel_page(&self, after: Option<ChannelCursor>) -> PortResult<ChannelPage> {
        let answer = self
            .client
            .scan()
            .table_name(&self.name)
            .filter_expression("begins_with(#pk, :channel) AND #sk = :self")
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_names("#sk", SORT_KEY)
            .expression_attribute_values(":channel", text(CHANNEL))
            .expression_attribute_values(":self", text(SELF))
            .set_exclusive_start_key(after.map(|cursor| cursor.0))
            .send()
            .await
            .map_err(|error| port_error("dynamodb:Scan", &error))?;
        let read = |row: &Item| {
            let name = read_text(row, PARTITION_KEY)?;
            let channel = Channel::from_str(name.strip_prefix(CHANNEL).unwrap_or(name))
                .map_err(|error| malformed("read row", error))?;
            Ok((channel, read_channel(row)?))
        };
        Ok(ChannelPage {
            channels: answer.items().iter().map(read).collect::<PortResult<_>>()?,
            rows: u64::try_from(answer.scanned_count()).unwrap_or_default(),
            next: answer.last_evaluated_key.map(ChannelCursor),
        })
    }

    /// Raises a log's head and `sent`, as if as many messages had been appended and had expired.
    ///
    /// # Errors
    /// When the table can't be written, or the channel isn't there any more.
    pub async fn lift(&self, channel: &Channel, by: u64) -> PortResult<()> {
        self.update(channel_key(channel), SELF)
            .update_expression("SET #head = #head + :by, #sent = #sent + :by")
            .condition_expression("attribute_exists(#pk)")
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_names("#head", HEAD)
            .expression_attribute_names("#sent", SENT)
            .expression_attribute_values(":by", number(by))
            .send()
            .await
            .map_err(|error| port_error("dynamodb:UpdateItem", &error))?;
        Ok(())
    }
}
