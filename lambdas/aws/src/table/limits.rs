//! Rate limits on DynamoDB: a row for each user with the time of its next turn, which expires soon after, and a row for each second with the posts
//! that signals have made.

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use hubbub_core::limits::turns::Turn;
use hubbub_core::names::table::TTL;
use hubbub_core::ports::{Limits, PortResult};
use hubbub_core::wire::id::UserId;
use hubbub_core::wire::time::Timestamp;

use super::item::attribute::{ARRIVAL, POSTS};
use super::item::{Item, SELF, limit_key, number, read_number, signals_key};
use super::{Table, update_if};
use crate::error::port_error;

/// How long a row is kept after its time.
const KEPT: Duration = Duration::from_secs(60);

/// The most tries for a turn.
const ATTEMPTS: usize = 8;

enum Found {
    /// The condition held.
    Done,
    /// It didn't hold, and this is the arrival.
    Other(Option<Timestamp>),
}

impl Limits for Table {
    async fn take_turn(&self, user: &UserId, turn: Turn) -> PortResult<Result<(), Duration>> {
        let mut arrival = None;
        // The first try is for a user that has rested. It returns the arrival if there is one. Another message of the user may move it meanwhile.
        for _ in 0..ATTEMPTS {
            let next = match turn.take(arrival) {
                Ok(next) => next,
                Err(wait) => return Ok(Err(wait)),
            };
            let update = self
                .update(limit_key(user), SELF)
                .update_expression("SET #arrival = :next, #ttl = :ttl")
                .expression_attribute_names("#arrival", ARRIVAL)
                .expression_attribute_names("#ttl", TTL)
                .expression_attribute_values(":next", number(next.0))
                .expression_attribute_values(":ttl", number(next.plus(KEPT).as_ttl()));
            let update = match arrival {
                None => update
                    .condition_expression("attribute_not_exists(#arrival) OR #arrival <= :now")
                    .expression_attribute_values(":now", number(turn.now.0)),
                Some(arrival) => update
                    .condition_expression("#arrival = :arrival")
                    .expression_attribute_values(":arrival", number(arrival.0)),
            };
            match find(update).await? {
                Found::Done => return Ok(Ok(())),
                Found::Other(found) => arrival = found,
            }
        }
        // So many messages at the same time are too fast.
        Ok(Err(turn.interval))
    }

    /// A row for each second. DynamoDB takes a thousand writes of a row in a second.
    async fn take_posts(&self, second: u64, posts: u64, most: u64) -> PortResult<bool> {
        let Some(left) = most.checked_sub(posts) else { return Ok(false) };
        let expires = Timestamp(second.saturating_mul(1_000)).plus(KEPT);
        let update = self
            .update(signals_key(second), SELF)
            .update_expression("SET #ttl = :ttl ADD #posts :posts")
            .condition_expression("attribute_not_exists(#posts) OR #posts <= :left")
            .expression_attribute_names("#posts", POSTS)
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":posts", number(posts))
            .expression_attribute_values(":left", number(left))
            .expression_attribute_values(":ttl", number(expires.as_ttl()));
        update_if(update).await
    }
}

/// Sends an update. If its condition doesn't hold, gives the arrival that is there.
async fn find(update: UpdateItemFluentBuilder) -> PortResult<Found> {
    let update = update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let error = match update.send().await {
        Ok(_) => return Ok(Found::Done),
        Err(error) => error,
    };
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
            let arrival = |row: &Item| read_number(row, ARRIVAL).map(Timestamp);
            Ok(Found::Other(failed.item().map(arrival).transpose()?))
        }
        _ => Err(port_error("dynamodb:UpdateItem", &error)),
    }
}
