//! Positions that clients and the state machine hand back, with any content.

use futures::executor::block_on;
use hubbub_core::broadcast::round::{Next, PageInput, Plan, PlanInput};
use hubbub_core::log::state::ChannelState;
use hubbub_core::ports::PortResult;
use hubbub_core::wire::channel::Channel;
use serde_json::{Value, json};

use crate::client_frame::check_answer;
use crate::stage::{NEVER, Stage, sender};

/// The most lines that are read.
const MAX_LINES: usize = 12;

/// Hands back anything, one thing after the other: whatever it says, nothing is sent that isn't in the log, and nothing counts as sent
/// beyond its head. What a plan says is read again as it was written.
pub fn cursor(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let stage = Stage::with_a_log();
    for line in text.split('\n').take(MAX_LINES) {
        let before = Channels::of(&stage, line);
        hand_back(&stage, line);
        before.check(&stage);
    }
}

fn hand_back(stage: &Stage, line: &str) {
    if let Ok(input) = serde_json::from_str::<PageInput>(line) {
        deliver_page(stage, &input);
    } else if let Ok(input) = serde_json::from_str::<PlanInput>(line) {
        plan(stage, &input);
    } else {
        check_answer(stage, &sender("root"), line);
    }
}

fn plan(stage: &Stage, input: &PlanInput) {
    let before = stage.state(&input.channel);
    let plan: PortResult<Plan> = block_on(stage.planner().plan(input.clone()));
    let plan = plan.unwrap();
    assert_eq!((&plan.channel, &plan.lease), (&input.channel, &input.lease));
    assert!(plan.totals.rounds >= input.totals.rounds && plan.totals.tally.posts >= input.totals.tally.posts);
    let held = before.is_some_and(|state| state.lease.is_some_and(|lease| lease.id == input.lease));
    let state = stage.state(&input.channel);
    match &plan.next {
        Next::Round { round, pages, .. } => {
            let state = state.unwrap();
            assert!(held, "a round is planned without the lease");
            assert_eq!((&round.epoch, round.from), (&state.epoch, state.sent));
            assert!(round.from < round.to && round.to <= state.head, "{round:?} of {state:?}");
            let shards: Vec<u32> = pages.iter().flat_map(|page| page.shards.clone()).collect();
            assert_eq!(shards, (0..state.shards).collect::<Vec<_>>(), "a page is left out");
        }
        Next::Settled => {
            let state = state.unwrap();
            assert!(held && state.lease.is_none(), "{state:?}");
            assert_eq!(state.sent, state.head);
        }
        Next::HandedOver => assert!(state.unwrap().lease.is_some()),
        Next::LostLease => assert!(!held, "the holder of the lease has lost it"),
    }
    check_round_trip(&plan);
}

/// As the state machine hands it on: the plan is read again, and its round by the pages and by the next plan.
fn check_round_trip(plan: &Plan) {
    let written = serde_json::to_value(plan).unwrap();
    assert_eq!(serde_json::from_value::<Plan>(written.clone()).unwrap(), *plan);
    let Next::Round { round, pages, .. } = &plan.next else { return };
    let handed_on = |rest: Value| {
        let mut input = json!({ "channel": written["channel"], "lease": written["lease"], "round": written["round"] });
        input.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        input
    };
    for (page, item) in pages.iter().zip(written["pages"].as_array().unwrap()) {
        let input: PageInput = serde_json::from_value(handed_on(json!({ "page": item }))).unwrap();
        assert_eq!((&input.page, &input.round), (page, round));
    }
    let input = handed_on(json!({ "reports": [], "totals": written["totals"] }));
    let input: PlanInput = serde_json::from_value(input).unwrap();
    assert_eq!((input.round.as_ref(), input.totals), (Some(round), plan.totals));
}

fn deliver_page(stage: &Stage, input: &PageInput) {
    let posted = || stage.ports.services.seen().posted.values().map(Vec::len).sum::<usize>();
    let before = posted();
    let report = block_on(stage.page_delivery().deliver(input.clone(), NEVER)).unwrap();
    assert_eq!((report.index, &report.error), (input.page.index, &None));
    let tally = report.tally;
    assert_eq!(tally.members, tally.delivered + tally.gone + tally.throttled + tally.failed);
    assert_eq!(posted() - before, usize::try_from(tally.posts).unwrap());
    let state = stage.state(&input.channel);
    for text in
        stage.ports.services.seen().posted.values().filter_map(|texts| texts.last()).take(usize::from(tally.posts > 0))
    {
        let frame: Value = serde_json::from_str(text).unwrap();
        let state = state.as_ref().unwrap();
        assert_eq!(frame["epoch"], state.epoch.as_str());
        let last = frame["messages"].as_array().and_then(|messages| messages.last()).unwrap_or(&frame);
        let seq = last["seq"].as_u64().unwrap();
        assert!(input.round.from.0 < seq && seq <= input.round.to.0.min(state.head.0), "{seq} is not of the round");
    }
}

/// A channel that a line is about, and how it was before.
struct Channels(Vec<(Channel, ChannelState)>);

impl Channels {
    fn of(stage: &Stage, line: &str) -> Self {
        let named = serde_json::from_str::<Value>(line).ok();
        let named = named.and_then(|value| value["channel"].as_str()?.parse().ok());
        let channels = named.into_iter().chain([crate::stage::lobby(), Channel::Everyone]);
        Self(channels.filter_map(|channel| Some((channel.clone(), stage.state(&channel)?))).collect())
    }

    /// A cursor moves `sent` forward, up to the head, and the lease; it writes nothing to the log.
    fn check(&self, stage: &Stage) {
        for (channel, before) in &self.0 {
            let after = stage.state(channel).unwrap();
            assert!(
                after.sent <= after.head,
                "{channel} counts as sent to {}, and its head is {}",
                after.sent,
                after.head
            );
            assert!(before.sent <= after.sent, "{channel} is sent back");
            let kept = |state: &ChannelState| (state.epoch.clone(), state.head, state.moved_at);
            assert_eq!(kept(before), kept(&after), "{channel}");
        }
    }
}
