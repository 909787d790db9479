//! Progress: a bar on a terminal, and a line every few seconds elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const PAUSE: Duration = Duration::from_secs(3);

/// The current step. It goes to standard error, so that standard output holds the result alone.
pub struct Progress {
    bar: Option<ProgressBar>,
    name: String,
    total: u64,
    last_line: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    #[must_use]
    pub fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg:<44} {bar:30} {pos}/{len} {elapsed}");
            let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, name: String::new(), total: 0, last_line: Instant::now() }
    }

    /// A step begins.
    pub fn begin(&mut self, name: &str, total: u64) {
        (self.name, self.total) = (name.to_owned(), total);
        match &self.bar {
            Some(bar) => {
                bar.set_message(self.name.clone());
                bar.set_length(total);
                bar.reset();
            }
            None => self.write_line(0),
        }
    }

    pub fn reach(&mut self, done: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if self.last_line.elapsed() >= PAUSE => self.write_line(done),
            None => {}
        }
    }

    /// Removes the bar.
    pub fn finish(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn write_line(&mut self, done: u64) {
        self.last_line = Instant::now();
        eprintln!("{}: {done} of {}", self.name, self.total);
    }
}
