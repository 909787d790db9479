//! The plan: times, price and settings.

use serde::Serialize;

use crate::bill::Bill;
use crate::estimate::Estimate;
use crate::inputs::{Inputs, PlanError, Tuning};
use crate::latency::Latencies;
use crate::prices;
use crate::shape::Shape;

/// The version of the JSON's shape. A field may be added to it; one that changes or goes makes a new one.
pub const VERSION: u32 = 2;

/// The members that the lines are drawn over.
const LINE_MEMBERS: [u64; 13] =
    [1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 30_000, 50_000, 100_000, 200_000, 300_000, 500_000, 1_000_000];

/// How much slower a cheaper setting may be.
const SLOWER: f64 = 1.1;

/// A setting, and whether it has to be set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// The key in the stack's configuration.
    pub key: &'static str,
    /// The value.
    pub value: u64,
    /// The setting's default.
    pub default: u64,
    /// Why.
    pub reason: String,
}

impl Advice {
    /// The command that sets it.
    #[must_use]
    pub fn command(&self) -> String {
        format!("pulumi config set hubbub:{} {}", self.key, self.value)
    }
}

/// A room's size, its time and its price.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Members.
    pub members: u64,
    /// Seconds until everybody has a message, in a room at rest.
    pub alone_seconds: f64,
    /// Dollars for the planned time; nothing where the room can't take this rate.
    pub total: Option<f64>,
    /// API Gateway's charge alone.
    pub floor: Option<f64>,
    /// AppSync Events.
    pub appsync: f64,
}

/// The plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The shape of this JSON.
    pub version: u32,
    /// Where and when the prices were asked.
    pub prices: &'static str,
    /// What was asked.
    pub inputs: Inputs,
    /// The settings that it was planned with.
    pub tuning: Tuning,
    /// Those that must be set.
    pub advice: Vec<Advice>,
    /// Requests a second that come in.
    pub inbound_rps: f64,
    /// Seconds that it takes at least to connect all members.
    pub connecting_seconds: u64,
    /// How the functions see a room.
    pub shards: usize,
    /// The members of each of its pages.
    pub pages: Vec<u64>,
    /// Whether `deliver` posts by itself, without the state machine.
    pub inline: bool,
    /// Messages that a frame takes.
    pub frame_messages: u64,
    /// Frames of a round at most.
    pub round_frames: u64,
    /// Times and work.
    pub estimate: Estimate,
    /// What it costs.
    pub bill: Bill,
    /// The steps' times, and where they are from.
    pub latencies: Latencies,
    /// Time and price against members.
    pub line: Vec<Point>,
}

/// Plans.
///
/// # Errors
/// When an input is out of its range, or more is asked than the quota allows.
pub fn plan(inputs: Inputs, callback_rps: Option<u64>, latencies: Latencies) -> Result<Plan, PlanError> {
    inputs.check()?;
    let derived = inputs.callback_rps()?;
    let callback_rps = match callback_rps {
        None => derived,
        Some(value) => in_range(value)?,
    };
    let defaults = Tuning { callback_rps, ..Tuning::default() };
    let (tuning, advice) = tune(&inputs, defaults, &latencies)?;
    let shape = Shape::even(inputs.members, inputs.size, &tuning)?;
    let estimate = Estimate::of(&inputs, &tuning, &latencies)?;
    let bill = Bill::of(&inputs, &tuning, &shape, estimate.per_second);
    Ok(Plan {
        version: VERSION,
        prices: prices::ASKED,
        inputs,
        tuning,
        advice,
        inbound_rps: inputs.inbound_rps(),
        connecting_seconds: inputs.connecting_seconds(),
        shards: shape.counts.len(),
        inline: shape.inline,
        frame_messages: shape.frame_messages,
        round_frames: shape.round_frames,
        pages: shape.pages,
        estimate,
        bill,
        line: line(&inputs, &latencies)?,
        latencies,
    })
}

fn in_range(callback_rps: u64) -> Result<u64, PlanError> {
    let range = hubbub_core::settings::CALLBACK_RPS.range;
    if range.contains(&callback_rps) {
        return Ok(callback_rps);
    }
    Err(PlanError::OutOfRange {
        option: "--callback-rps",
        value: callback_rps as f64,
        min: *range.start() as f64,
        max: *range.end() as f64,
        advice: "posts a second of the whole stack; leave it out to have it derived from --rps",
    })
}

/// A setting's plan and its price.
fn price(inputs: &Inputs, tuning: &Tuning, latencies: &Latencies) -> Result<(Estimate, f64), PlanError> {
    let estimate = Estimate::of(inputs, tuning, latencies)?;
    let shape = Shape::even(inputs.members, inputs.size, tuning)?;
    Ok((estimate, Bill::of(inputs, tuning, &shape, estimate.per_second).total))
}

/// Chooses the settings: each other value is planned for as well, and taken where it makes the plan cheaper or faster.
fn tune(inputs: &Inputs, defaults: Tuning, latencies: &Latencies) -> Result<(Tuning, Vec<Advice>), PlanError> {
    let mut advice = Vec::new();
    let mut best = defaults;
    let (plain, plain_price) = price(inputs, &defaults, latencies)?;
    let inline = Tuning { inline_limit: hubbub_core::settings::INLINE_LIMIT.range.end().to_owned(), ..defaults };
    let mut inline_reason = String::new();
    if inputs.members > defaults.inline_limit
        && inputs.members <= inline.inline_limit
        && let Ok((estimate, total)) = price(inputs, &inline, latencies)
        && estimate.everybody_seconds <= plain.everybody_seconds * SLOWER
        && total < plain_price
    {
        best = inline;
        inline_reason = format!(
            "`deliver` posts to the room by itself: {:.0} % cheaper, {:.1} s instead of {:.1} s",
            (1.0 - total / plain_price) * 100.0,
            estimate.everybody_seconds,
            plain.everybody_seconds
        );
    }
    for (key, value, setting) in best.settings() {
        let reason = match key {
            "callbackRps" => {
                format!("of {} requests/s, {:.0} come in, and a part is kept free", inputs.rps, inputs.inbound_rps())
            }
            _ => inline_reason.clone(),
        };
        if value != setting.default {
            advice.push(Advice { key, value, default: setting.default, reason });
        }
    }
    Ok((best, advice))
}

fn line(inputs: &Inputs, latencies: &Latencies) -> Result<Vec<Point>, PlanError> {
    LINE_MEMBERS
        .iter()
        .map(|members| {
            let inputs = Inputs { members: *members, ..*inputs };
            let callback_rps = inputs.callback_rps().unwrap_or(*hubbub_core::settings::CALLBACK_RPS.range.start());
            let tuning = Tuning { callback_rps, ..Tuning::default() };
            let alone = Estimate::of(&Inputs { rate: 0.0, rooms: 1, ..inputs }, &tuning, latencies)?;
            let shape = Shape::even(*members, inputs.size, &tuning)?;
            let bill = |estimate: &Estimate| Bill::of(&inputs, &tuning, &shape, estimate.per_second);
            let steady = Estimate::of(&inputs, &tuning, latencies).ok().map(|estimate| bill(&estimate));
            Ok(Point {
                members: *members,
                alone_seconds: alone.alone_seconds,
                total: steady.as_ref().map(|bill| bill.total),
                floor: steady.as_ref().map(|bill| bill.floor),
                appsync: bill(&alone).appsync,
            })
        })
        .collect()
}
