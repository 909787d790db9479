//! The plot: the latencies' percentiles over the time of publishing, as SVG.

use std::fmt::Write;
use std::time::Duration;

use super::figures::{PERCENTILES, Report, milliseconds};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 400.0;
const MARGIN: f64 = 60.0;

/// A colour for each percentile, told apart by the colour-blind as well (Okabe and Ito).
const COLOURS: [&str; 3] = ["#0072b2", "#e69f00", "#d55e00"];

/// Lines across.
const STEPS: u32 = 4;

/// Draws a report.
pub(super) fn draw(title: &str, report: &Report) -> String {
    let last = report.seconds.keys().next_back().copied().unwrap_or_default();
    let span = f64::from(u32::try_from(last).unwrap_or(u32::MAX)).max(1.0);
    let highest = report.seconds.values().flatten().max().copied().unwrap_or_default();
    let top = nice(milliseconds(highest));
    let x = |second: f64| MARGIN + second / span * (WIDTH - 2.0 * MARGIN);
    let y = |latency: f64| HEIGHT - MARGIN - latency / top * (HEIGHT - 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"24\" font-size=\"15\">Latency from publishing to receiving: {title}</text>\n"
    );
    for step in 0..=STEPS {
        let part = f64::from(step) / f64::from(STEPS);
        let (latency, second) = (top * part, span * part);
        line(
            &mut svg,
            &format!(
                "<line x1=\"{MARGIN}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{2:.1}\" y=\"{3:.1}\" text-anchor=\"end\">{latency:.0} ms</text>",
                WIDTH - MARGIN,
                y(latency),
                MARGIN - 6.0,
                y(latency) + 4.0,
            ),
        );
        let below = HEIGHT - MARGIN + 18.0;
        line(
            &mut svg,
            &format!("<text x=\"{:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{second:.0} s</text>", x(second)),
        );
    }
    for ((index, percent), colour) in PERCENTILES.into_iter().enumerate().zip(COLOURS) {
        let points = report.seconds.iter().filter_map(|(second, latencies)| {
            let second = f64::from(u32::try_from(*second).ok()?);
            Some((x(second), y(milliseconds(latencies.get(index).copied().unwrap_or(Duration::ZERO)))))
        });
        let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        line(
            &mut svg,
            &format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                points.join(" ")
            ),
        );
        let at = MARGIN + f64::from(u32::try_from(index).unwrap_or_default()) * 180.0;
        line(
            &mut svg,
            &format!(
                "<text x=\"{at:.1}\" y=\"{:.1}\" fill=\"{colour}\">p{percent}: {} ms in all</text>",
                HEIGHT - 12.0,
                report.latency_ms(percent),
            ),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn line(svg: &mut String, text: &str) {
    // Writing to a string can't fail.
    let _ = writeln!(svg, "{text}");
}

/// The next of 1, 2, 5, 10, 20, 50, … that isn't smaller.
fn nice(value: f64) -> f64 {
    let mut scale = 1.0;
    loop {
        for step in [1.0, 2.0, 5.0] {
            if step * scale >= value {
                return step * scale;
            }
        }
        scale *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::figures::tests::measured;
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number() {
        let check = |value, expected: f64| assert!((nice(value) - expected).abs() < 0.001, "{value}");
        check(0.0, 1.0);
        check(3.0, 5.0);
        check(51.0, 100.0);
        check(1_200.0, 2_000.0);
    }

    #[test]
    fn a_plot_has_a_line_for_each_percentile_within_the_picture() {
        let began = Instant::now();
        let report = Report::of(&measured(&[10, 200, 30], began), 2, began);
        let svg = draw("two clients", &report);
        assert_eq!(svg.matches("<polyline").count(), 3);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn nothing_can_be_drawn_too() {
        let report = Report::of(&super::super::Measured::default(), 1, Instant::now());
        assert!(!draw("nothing", &report).contains("NaN"));
    }
}
