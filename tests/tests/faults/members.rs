//! Members come at awkward moments.

use hubbub_client::Start;
use hubbub_tests::inspect;

use crate::deliver::stop_between_append_and_posts;
use crate::party::{Party, Stage};

#[tokio::test]
async fn who_joins_between_append_and_fan_out_has_neither_a_gap_nor_anything_twice() {
    let stage = Stage::set().await;
    let (mut party, held) = stop_between_append_and_posts(&stage, "between").await;
    party.welcome(&stage, "from-now", Start::Now).await;
    party.welcome(&stage, "from-the-beginning", Start::Beginning).await;
    drop(held);
    party.send(&stage, 2).await;
    party.hear(2).await;
    party.check(&stage, 2).await;
}

#[tokio::test]
async fn a_busy_room_that_grows_from_inline_to_the_state_machine_loses_nothing() {
    let stage = Stage::set().await;
    let limit = usize::try_from(stage.stack().outputs.inline_limit).unwrap();
    let mut party = Party::gather(&stage, "growing", 2).await;
    party.send(&stage, 1).await;
    party.hear(1).await;
    let of_room = async |party: &Party| {
        let mut count = 0;
        for arn in inspect::execution_arns(stage.stack()).await.unwrap() {
            let execution = inspect::execution(stage.stack(), &arn).await.unwrap();
            count += usize::from(execution.input.channel == party.channel);
        }
        count
    };
    assert_eq!(of_room(&party).await, 0, "a small room needs no execution");
    let mut sent = 1;
    while party.guests.len() < limit * 2 {
        // Some are under way whenever somebody joins.
        for _ in 0..3 {
            sent += 1;
            party.send(&stage, sent).await;
        }
        let name = format!("growing-{}", party.guests.len());
        let start = if sent % 2 == 0 { Start::Beginning } else { Start::Known };
        party.welcome(&stage, &name, start).await;
    }
    sent += 1;
    party.send(&stage, sent).await;
    party.hear(sent).await;
    assert!(of_room(&party).await > 0, "a large room needs executions");
    party.check(&stage, sent).await;
}
