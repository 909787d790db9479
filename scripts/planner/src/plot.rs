//! Plots as SVG, by hand: no font, no date and no chance in them, so that the same plan is the same bytes. Their colours follow the reader's scheme, light or dark.

use std::fmt::Write;

use crate::bill::{Cause, Service};
use crate::number::whole;
use crate::plan::{Plan, Point};
use crate::report::{dollars, grouped, seconds};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 54.0;

/// The colours of lines and bars, each of a class.
const STYLE: &str = "\
<style>
  svg { font: 12px system-ui, sans-serif; background: #fff }
  text { fill: #24292f } .title { font-size: 15px; font-weight: 600 } .quiet { fill: #57606a }
  .grid { stroke: #d8dee4 } .axis { stroke: #8c959f }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round } .dash { stroke-dasharray: 6 5 }
  .a { stroke: #0969da } .b { stroke: #bc4c00 } .c { stroke: #1a7f37 } .d { stroke: #8250df }
  .fa { fill: #0969da } .fb { fill: #bc4c00 } .fc { fill: #1a7f37 } .fd { fill: #8250df }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117 } text { fill: #e6edf3 } .quiet { fill: #9198a1 }
    .grid { stroke: #2a313a } .axis { stroke: #656c76 }
    .a { stroke: #58a6ff } .b { stroke: #f0883e } .c { stroke: #3fb950 } .d { stroke: #bc8cff }
    .fa { fill: #58a6ff } .fb { fill: #f0883e } .fc { fill: #3fb950 } .fd { fill: #bc8cff }
  }
</style>
";

const CLASSES: [&str; 4] = ["a", "b", "c", "d"];

/// A plan's plots: file names and their text.
#[must_use]
pub fn plots(plan: &Plan) -> [(&'static str, String); 3] {
    [
        ("plan-price.svg", price(plan)),
        ("plan-time-by-members.svg", time_by_members(plan)),
        ("plan-price-by-members.svg", price_by_members(plan)),
    ]
}

/// A line of a plot.
struct Line {
    name: String,
    class: &'static str,
    dashed: bool,
    points: Vec<(f64, f64)>,
}

/// How values become places, from the first to the last.
#[derive(Clone, Copy)]
struct Scale {
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    fn part(self, value: f64) -> f64 {
        if self.logarithmic {
            (value / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        }
    }

    /// The values that have a line of the grid.
    fn ticks(self) -> Vec<f64> {
        if self.logarithmic {
            let (first, last) = (self.from.log10().ceil(), self.to.log10().floor());
            return (0..=whole(last - first)).map(|step| 10_f64.powf(first + step as f64)).collect();
        }
        let rough = (self.to - self.from) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        (0..=whole(((self.to - self.from) / step).floor())).map(|count| self.from + step * count as f64).collect()
    }
}

fn begin(title: &str) -> String {
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">"
    );
    svg += STYLE;
    let _ = writeln!(svg, "<text class=\"title\" x=\"{LEFT}\" y=\"24\">{title}</text>");
    svg
}

fn chart(title: &str, (x, x_name): (Scale, &str), (y, y_name): (Scale, fn(f64) -> String), lines: &[Line]) -> String {
    let mut svg = begin(title);
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let place = |(at, value): (f64, f64)| {
        (LEFT + x.part(at) * (right - LEFT), bottom - y.part(value).clamp(0.0, 1.0) * (bottom - TOP))
    };
    for tick in y.ticks() {
        let (_, height) = place((x.from, tick));
        let _ =
            writeln!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{height:.1}\" y2=\"{height:.1}\"/>");
        let name = y_name(tick);
        let _ = writeln!(
            svg,
            "<text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>",
            LEFT - 8.0,
            height + 4.0
        );
    }
    for tick in x.ticks() {
        let (along, _) = place((tick, y.from));
        let name = if tick.fract().abs() < 1e-6 { grouped(whole(tick)) } else { format!("{tick:.1}") };
        let _ = writeln!(
            svg,
            "<text class=\"quiet\" x=\"{along:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
            bottom + 18.0
        );
    }
    let _ = writeln!(svg, "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>");
    let _ = writeln!(
        svg,
        "<text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x_name}</text>",
        f64::midpoint(LEFT, right),
        HEIGHT - 14.0
    );
    let mut legend = LEFT;
    for Line { name, class, dashed, points } in lines {
        let dash = if *dashed { " dash" } else { "" };
        let path: Vec<String> = points
            .iter()
            .map(|point| {
                let (along, height) = place(*point);
                format!("{along:.1},{height:.1}")
            })
            .collect();
        let _ = writeln!(svg, "<polyline class=\"line {class}{dash}\" points=\"{}\"/>", path.join(" "));
        let _ = writeln!(
            svg,
            "<line class=\"line {class}{dash}\" x1=\"{legend:.1}\" x2=\"{:.1}\" y1=\"39\" y2=\"39\"/><text x=\"{:.1}\" y=\"43\">{name}</text>",
            legend + 22.0,
            legend + 28.0
        );
        legend += 44.0 + 6.6 * name.chars().count() as f64;
    }
    svg + "</svg>\n"
}

/// Bars by service, each split by cause, on a scale of square roots' width so that the small ones are seen.
fn price(plan: &Plan) -> String {
    let bill = &plan.bill;
    let title = format!("{} for {} month(s), by service and cause", dollars(bill.total), plan.inputs.months);
    let mut svg = begin(&title);
    let left = 128.0;
    let rows: Vec<(&str, f64, Vec<f64>)> = Service::ALL
        .iter()
        .map(|service| {
            let parts = Cause::ALL.iter().map(|cause| bill.line(*service, *cause)).collect();
            (service.name(), bill.by_service(*service), parts)
        })
        .collect();
    let others = [("floor", bill.floor), ("AppSync Events", bill.appsync)];
    let most = rows.iter().map(|row| row.1).chain(others.iter().map(|other| other.1)).fold(1e-9, f64::max);
    // By square roots: a line that is a hundredth of another is a tenth of its length.
    let width = |value: f64| (value / most).sqrt() * (WIDTH - left - 110.0);
    let step = (HEIGHT - TOP - 30.0) / (rows.len() + others.len()) as f64;
    let mut height = TOP + 8.0;
    let bar = step * 0.62;
    let label = |svg: &mut String, name: &str, value: f64, height: f64| {
        let middle = height + bar / 2.0 + 4.0;
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{middle:.1}\" text-anchor=\"end\">{name}</text>", left - 10.0);
        let end = left + width(value) + 8.0;
        let _ = writeln!(svg, "<text class=\"quiet\" x=\"{end:.1}\" y=\"{middle:.1}\">{}</text>", dollars(value));
    };
    for (name, whole, parts) in &rows {
        let mut from = left;
        for (part, class) in parts.iter().zip(CLASSES) {
            let long = if *whole > 0.0 { width(*whole) * part / whole } else { 0.0 };
            let _ = writeln!(
                svg,
                "<rect class=\"f{class}\" x=\"{from:.1}\" y=\"{height:.1}\" width=\"{long:.1}\" height=\"{bar:.1}\"/>"
            );
            from += long;
        }
        label(&mut svg, name, *whole, height);
        height += step;
    }
    for (name, value) in others {
        let long = width(value);
        let _ = writeln!(
            svg,
            "<rect class=\"quiet\" x=\"{left}\" y=\"{height:.1}\" width=\"{long:.1}\" height=\"{bar:.1}\" opacity=\"0.5\"/>"
        );
        label(&mut svg, name, value, height);
        height += step;
    }
    let mut legend = left;
    for (cause, class) in Cause::ALL.iter().zip(CLASSES) {
        let _ = writeln!(
            svg,
            "<rect class=\"f{class}\" x=\"{legend:.1}\" y=\"33\" width=\"12\" height=\"12\"/><text x=\"{:.1}\" y=\"43\">{}</text>",
            legend + 17.0,
            cause.name()
        );
        legend += 36.0 + 6.8 * cause.name().len() as f64;
    }
    let _ = writeln!(
        svg,
        "<text class=\"quiet\" x=\"{left}\" y=\"{:.1}\">lengths are square roots, so that the small ones are seen; colours part a bar in proportion</text>",
        HEIGHT - 10.0
    );
    svg + "</svg>\n"
}

fn members_scale(points: &[Point]) -> Scale {
    let first = points.first().map_or(1.0, |point| point.members as f64);
    let last = points.last().map_or(10.0, |point| point.members as f64);
    Scale { from: first, to: last, logarithmic: true }
}

fn by_members(points: &[Point], name: &str, class: &'static str, dashed: bool, of: fn(&Point) -> Option<f64>) -> Line {
    let points = points.iter().filter_map(|point| Some((point.members as f64, of(point)?))).collect();
    Line { name: name.to_owned(), class, dashed, points }
}

/// A logarithmic scale around the lines, from a power of ten to one.
fn around(lines: &[Line]) -> Scale {
    let values = || lines.iter().flat_map(|line| &line.points).map(|point| point.1).filter(|value| *value > 0.0);
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let (least, most) = if most > 0.0 { (least, most) } else { (1.0, 10.0) };
    let (from, to) = (10_f64.powf(least.log10().floor()), 10_f64.powf(most.log10().ceil()));
    Scale { from, to: if to > from { to } else { from * 10.0 }, logarithmic: true }
}

fn time_by_members(plan: &Plan) -> String {
    let posts = plan.tuning.callback_rps as f64;
    let floor = plan.line.iter().map(|point| (point.members as f64, point.members as f64 / posts)).collect();
    let lines = [
        by_members(&plan.line, "until everybody has it", "a", false, |point| Some(point.alone_seconds)),
        Line { name: "members ÷ callbackRps".to_owned(), class: "b", dashed: true, points: floor },
    ];
    let title = format!("One message to a room at rest, {} posts/s", grouped(plan.tuning.callback_rps));
    chart(&title, (members_scale(&plan.line), "members"), (around(&lines), seconds), &lines)
}

fn price_by_members(plan: &Plan) -> String {
    let lines = [
        by_members(&plan.line, "Hubbub", "a", false, |point| point.total),
        by_members(&plan.line, "API Gateway alone", "b", true, |point| point.floor),
        by_members(&plan.line, "AppSync Events", "c", false, |point| Some(point.appsync)),
    ];
    let title = format!(
        "Price of {} message(s)/s for {} month(s); where a line ends, the quota does",
        plan.inputs.rate, plan.inputs.months
    );
    chart(&title, (members_scale(&plan.line), "members"), (around(&lines), dollars), &lines)
}
