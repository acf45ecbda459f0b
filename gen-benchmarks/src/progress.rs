//! How far a run is: a bar with the time left on a terminal, plain lines elsewhere.
//!
//! Nothing is drawn while a process measures, only between two of them.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use crate::format::Unit;
use bench_harness::record::CaseId;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Seconds between two plain lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    things: &'static str,
    total: usize,
    done: usize,
    start: Instant,
    last_line: Instant,
}

impl Progress {
    /// Progress over `total` things, named in the plural.
    pub(crate) fn of(things: &'static str, total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            // No ticker: the bar moves when told.
            let bar = ProgressBar::with_draw_target(
                Some(total as u64),
                ProgressDrawTarget::stderr_with_hz(4),
            );
            let style = format!("{{bar:30}} {{pos}}/{{len}} {things}, {{eta}} left · {{wide_msg}}");
            bar.with_style(ProgressStyle::with_template(&style).expect("a valid template"))
        });
        if bar.is_none() {
            eprintln!("0/{total} {things}");
        }
        let now = Instant::now();
        Self {
            bar,
            things,
            total,
            done: 0,
            start: now,
            last_line: now,
        }
    }

    /// Names what is measured next.
    pub(crate) fn announce(&self, case: &CaseId) {
        if let Some(bar) = &self.bar {
            bar.set_message(case.to_string());
        }
    }

    /// One more process is done.
    pub(crate) fn step(&mut self, case: &CaseId) {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        } else if self.last_line.elapsed() >= PLAIN_INTERVAL {
            self.last_line = Instant::now();
            let left = self.start.elapsed().as_secs_f64() / self.done as f64
                * (self.total - self.done) as f64;
            eprintln!(
                "{}/{} {}, {} left, last {case}",
                self.done,
                self.total,
                self.things,
                Unit::Duration.format(left * 1e9, 1e9)
            );
        }
    }

    /// Prints a line that stays.
    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
