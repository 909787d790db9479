//! Members come at awkward moments.

use hubbub_client::Start;
use hubbub_tests::inspect;

use crate::deliver::stop_between_append_and_posts;
use crate::room::{ExclusiveStack, TestRoom};

#[tokio::test]
async fn join_between_append_and_fan_out_has_no_gap_or_duplicate() {
    let stack = ExclusiveStack::take().await;
    let (mut room, held) = stop_between_append_and_posts(&stack, "between").await;
    room.add_member(&stack, "from-now", Start::Now).await;
    room.add_member(&stack, "from-the-beginning", Start::Beginning).await;
    drop(held);
    room.send(&stack, 2).await;
    room.wait_for(2).await;
    room.check_complete(&stack, 2).await;
}

#[tokio::test]
async fn room_growing_past_the_inline_limit_loses_nothing() {
    let stack = ExclusiveStack::take().await;
    let limit = usize::try_from(stack.stack().outputs.inline_limit).unwrap();
    let mut room = TestRoom::with_members(&stack, "growing", 2).await;
    room.send(&stack, 1).await;
    room.wait_for(1).await;
    let of_room = async |room: &TestRoom| {
        let mut count = 0;
        for arn in inspect::execution_arns(stack.stack()).await.unwrap() {
            let execution = inspect::execution(stack.stack(), &arn).await.unwrap();
            count += usize::from(execution.input.channel == room.channel);
        }
        count
    };
    assert_eq!(of_room(&room).await, 0, "a small room needs no execution");
    let mut sent = 1;
    while room.members.len() < limit * 2 {
        // Some are under way whenever somebody joins.
        for _ in 0..3 {
            sent += 1;
            room.send(&stack, sent).await;
        }
        let name = format!("growing-{}", room.members.len());
        let start = if sent % 2 == 0 { Start::Beginning } else { Start::Known };
        room.add_member(&stack, &name, start).await;
    }
    sent += 1;
    room.send(&stack, sent).await;
    room.wait_for(sent).await;
    assert!(of_room(&room).await > 0, "a large room needs executions");
    room.check_complete(&stack, sent).await;
}
