//! The plan as text: first the answers, then the tables.

use std::fmt::{self, Display, Formatter};

use crate::bill::{Bill, Cause, Service};
use crate::latency::{Latency, Source};
use crate::plan::Plan;

/// Above this part of what a room takes, random messages wait for longer than the formulas say.
const CROWDED: f64 = 0.8;

/// Writes a plan as text of 100 columns at most.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a>(pub &'a Plan);

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plan = self.0;
        answers(plan, f)?;
        settings(plan, f)?;
        times(plan, f)?;
        work(plan, f)?;
        price(plan, f)?;
        assumptions(plan, f)
    }
}

/// A number with commas between its thousands.
#[must_use]
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Dollars: whole ones from a hundred on, else with as many places as say something.
#[must_use]
pub fn dollars(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("${}", grouped(crate::number::whole(value))),
        value if value >= 0.1 || value == 0.0 => format!("${value:.2}"),
        value => format!("${value:.4}"),
    }
}

/// Seconds, with a place that says something.
#[must_use]
pub fn seconds(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0} s"),
        value if value >= 10.0 => format!("{value:.1} s"),
        value => format!("{value:.2} s"),
    }
}

fn plural(value: u64, one: &str) -> String {
    format!("{} {one}{}", grouped(value), if value == 1 { "" } else { "s" })
}

fn duration(hours: f64) -> String {
    if (hours - 1.0).abs() < 1e-9 { "a month".to_owned() } else { format!("{hours} months") }
}

fn answers(plan: &Plan, f: &mut Formatter<'_>) -> fmt::Result {
    let Plan { inputs, estimate, bill, .. } = plan;
    let rooms = if inputs.rooms == 1 { String::new() } else { format!(" in each of {}", plural(inputs.rooms, "room")) };
    writeln!(f, "HOW LONG  A message to {}{rooms} has reached everybody after", plural(inputs.members, "member"))?;
    writeln!(
        f,
        "          {} in a room at rest; {} where all functions have to be started",
        seconds(estimate.warm_seconds),
        seconds(estimate.alone_seconds)
    )?;
    let part = part_used(plan);
    if part > CROWDED {
        writeln!(
            f,
            "          more than {} at {} messages/s: the room takes {:.1} at most, and {:.0} % of it are used,",
            seconds(estimate.longest_seconds),
            inputs.rate,
            estimate.most_messages,
            part * 100.0
        )?;
        writeln!(f, "          so that messages that come at random wait for several rounds")?;
    } else if inputs.rate > 0.0 {
        writeln!(
            f,
            "          {} on average at {} messages/s, {} after a whole round; half of all members have it after {}",
            seconds(estimate.everybody_seconds),
            inputs.rate,
            seconds(estimate.longest_seconds),
            seconds(estimate.half_seconds),
        )?;
    }
    let added = (bill.total / bill.floor - 1.0) * 100.0;
    writeln!(f)?;
    writeln!(
        f,
        "HOW MUCH  {} for {} with the settings below ({})",
        dollars(bill.total),
        duration(inputs.months),
        plan.prices
    )?;
    writeln!(
        f,
        "          {} of it is API Gateway's charge for posts and connection-minutes; pings and all else add {added:.1} %",
        dollars(bill.floor)
    )?;
    writeln!(f, "          AppSync Events: {}, {}", dollars(bill.appsync), compare(bill.of_appsync))?;
    if bill.transfer >= 0.005 {
        writeln!(f, "          Data transfer out, with any sender: {} more", dollars(bill.transfer))?;
    }
    writeln!(f)
}

fn compare(of_appsync: f64) -> String {
    if of_appsync < 1.0 {
        format!("{:.1} times as much", 1.0 / of_appsync)
    } else {
        format!("{of_appsync:.1} times less")
    }
}

/// How much of what a room takes is said in it.
fn part_used(plan: &Plan) -> f64 {
    plan.inputs.rate / plan.estimate.most_messages
}

fn settings(plan: &Plan, f: &mut Formatter<'_>) -> fmt::Result {
    if part_used(plan) > CROWDED {
        writeln!(f, "SETTINGS  No setting helps: the quota is the limit. Plan again with a higher --rps")?;
        writeln!(
            f,
            "          (docs/deploy.md, \"Which quotas do I ask for?\"), which costs more: fewer messages share a post."
        )?;
    } else if plan.advice.is_empty() {
        writeln!(f, "SETTINGS  The defaults are right.")?;
    }
    for (number, advice) in plan.advice.iter().enumerate() {
        let heading = if number == 0 { "SETTINGS" } else { "" };
        writeln!(f, "{heading:<9} {:<46} # {} by default", advice.command(), grouped(advice.default))?;
        writeln!(f, "          # {}", advice.reason)?;
    }
    writeln!(f)
}

fn times(plan: &Plan, f: &mut Formatter<'_>) -> fmt::Result {
    let estimate = &plan.estimate;
    writeln!(f, "{:<44} {:>9}", "until everybody has a message", "seconds")?;
    let mut row = |name: &str, value: f64| writeln!(f, "  {name:<42} {value:>9.2}");
    row("at rest, all functions have to be started", estimate.alone_seconds)?;
    row("at rest, functions are warm", estimate.warm_seconds)?;
    if plan.inputs.rate > 0.0 {
        row("at the planned rate, on average", estimate.everybody_seconds)?;
        row("at the planned rate, after a whole round", estimate.longest_seconds)?;
        row("a round", estimate.round_seconds)?;
    }
    writeln!(f)
}

fn work(plan: &Plan, f: &mut Formatter<'_>) -> fmt::Result {
    let mut row = |name: &str, value: String| writeln!(f, "{name:<38} {value}");
    let (smallest, largest) =
        (plan.pages.iter().min().copied().unwrap_or_default(), plan.pages.iter().max().copied().unwrap_or_default());
    let way = if plan.inline { "`deliver` posts by itself" } else { "the broadcast state machine" };
    row("way out", way.to_owned())?;
    row("shards of a room", grouped(plan.shards as u64))?;
    if !plan.inline {
        let sizes = format!("{} to {} members", grouped(smallest), grouped(largest));
        row("pages of a round", format!("{} of {sizes}", grouped(plan.pages.len() as u64)))?;
    }
    row("messages that share a post, at most", grouped(plan.frame_messages))?;
    row("messages/s that a room takes, at most", format!("{:.2}", plan.estimate.most_messages))?;
    row("requests/s that come in", format!("{:.1}", plan.inbound_rps))?;
    row("all members are connected after", format!("{} s at least", grouped(plan.connecting_seconds)))?;
    let estimate = &plan.estimate;
    row("deliver-page functions at once", grouped(estimate.page_functions))?;
    row("deliver functions at once", grouped(estimate.deliver_functions))?;
    if estimate.above_quota > 0.0 {
        let part = estimate.above_quota * 100.0;
        row("callbackRps above the account's quota", format!("{part:.0} %: posts are answered 429 and slow down"))?;
    }
    if plan.inputs.rate > 0.0 {
        row("posts/s", grouped(crate::number::whole(estimate.per_second.posts)))?;
        row("posts for each member and message", format!("{:.3}", estimate.posts_per_member_and_message))?;
        row("messages of a round", format!("{:.1}", estimate.messages_per_round))?;
    }
    writeln!(f)
}

fn price(plan: &Plan, f: &mut Formatter<'_>) -> fmt::Result {
    let bill: &Bill = &plan.bill;
    write!(f, "{:<16}", "price")?;
    for cause in Cause::ALL {
        write!(f, "{:>16}", cause.name())?;
    }
    writeln!(f, "{:>16}", "all")?;
    for service in Service::ALL {
        write!(f, "  {:<14}", service.name())?;
        for cause in Cause::ALL {
            let value = bill.line(service, cause);
            let text = if value == 0.0 { "–".to_owned() } else { dollars(value) };
            write!(f, "{text:>16}")?;
        }
        writeln!(f, "{:>16}", dollars(bill.by_service(service)))?;
    }
    write!(f, "  {:<14}", "all")?;
    for cause in Cause::ALL {
        write!(f, "{:>16}", dollars(bill.by_cause(cause)))?;
    }
    writeln!(f, "{:>16}\n", dollars(bill.total))
}

fn assumptions(plan: &Plan, f: &mut Formatter<'_>) -> fmt::Result {
    let latencies = &plan.latencies;
    let rows: [(&str, Latency); 10] = [
        ("a post", latencies.post),
        ("a read or write of the table", latencies.table),
        ("an append", latencies.append),
        ("a thousand members' rows", latencies.members),
        ("from a frame to the queue", latencies.publish),
        ("from the queue to `deliver`", latencies.queue),
        ("the start of an execution", latencies.start),
        ("from one state to the next", latencies.transition),
        ("the call of a function", latencies.call),
        ("a function's cold start", latencies.cold_start),
    ];
    writeln!(f, "{:<36} {:>9} {:>9}", "milliseconds, untested on AWS", "p50", "p99")?;
    for (name, latency) in rows {
        let source = match latency.source {
            Source::Measured => "measured by scripts/bench",
            Source::Published => "published",
            Source::Assumed => "assumed",
        };
        writeln!(f, "  {name:<34} {:>9} {:>9}  {source}", latency.median_ms, latency.p99_ms)?;
    }
    writeln!(f, "\ndocs/performance.md has the plan next to the measurements.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_and_rounded() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(
            [dollars(0.0), dollars(0.012), dollars(12.345), dollars(1_234.5)],
            ["$0.00", "$0.0120", "$12.35", "$1,235"]
        );
        assert_eq!([seconds(0.123), seconds(12.34), seconds(123.4)], ["0.12 s", "12.3 s", "123 s"]);
    }
}
