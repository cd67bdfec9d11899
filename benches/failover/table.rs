//! The samples as a Markdown table.

use std::fmt::Write as _;
use std::time::Duration;

use super::course::{Contender, Event, Sample};
use super::report::{self, machine, percentile};

/// Prints the table and writes it to `bench.md`.
pub fn write(samples: &[Sample], repetitions: &str) {
    report::write("bench.md", &render(samples, repetitions));
}

fn render(samples: &[Sample], repetitions: &str) -> String {
    let mut text =
        format!("{}\n\nEach figure: median / 90th percentile of {repetitions} runs, ms.\n\n", machine());
    text.push_str("| event | adverts | takeover, keepalived | takeover, gwha | ratio | outage, keepalived | outage, gwha | ratio |\n");
    text.push_str("|---|---|---|---|---|---|---|---|\n");
    let mut intervals: Vec<u32> = samples.iter().map(|sample| sample.interval_ms).collect();
    intervals.dedup();
    intervals.sort_unstable_by(|one, other| other.cmp(one));
    intervals.dedup();
    for event in Event::ALL {
        for &interval in &intervals {
            for contender in [Contender::Gwha, Contender::GwhaFastCheck] {
                row(&mut text, samples, event, interval, contender);
            }
        }
    }
    text
}

fn row(text: &mut String, samples: &[Sample], event: Event, interval: u32, contender: Contender) {
    let of = |who: Contender, what: fn(&Sample) -> Duration| -> Vec<Duration> {
        let mut times: Vec<Duration> = samples
            .iter()
            .filter(|s| (s.contender, s.event, s.interval_ms) == (who, event, interval))
            .map(what)
            .collect();
        times.sort_unstable();
        times
    };
    if of(contender, |sample| sample.takeover).is_empty() {
        return;
    }
    let note = match contender {
        Contender::GwhaFastCheck => " (gwha: tests every 200 ms)",
        Contender::Gwha | Contender::Keepalived => "",
    };
    let _ = write!(text, "| {}{note} | {interval} ms ", event.title());
    for what in [|sample: &Sample| sample.takeover, |sample: &Sample| sample.outage] {
        let (theirs, ours) = (of(Contender::Keepalived, what), of(contender, what));
        let _ = write!(text, "| {} | {} | {} ", figures(&theirs), figures(&ours), ratio(&theirs, &ours));
    }
    text.push_str("|\n");
}

fn figures(sorted: &[Duration]) -> String {
    match (percentile(sorted, 50), percentile(sorted, 90)) {
        (Some(median), Some(high)) => format!("{} / {}", ms(median), ms(high)),
        _ => "-".to_owned(),
    }
}

/// gwha's part of keepalived's time, by the medians: below 1 is faster.
fn ratio(theirs: &[Duration], ours: &[Duration]) -> String {
    match (percentile(theirs, 50), percentile(ours, 50)) {
        (Some(theirs), Some(ours)) if !theirs.is_zero() => {
            format!("{:.2}", ours.as_secs_f64() / theirs.as_secs_f64())
        }
        _ => "-".to_owned(),
    }
}

fn ms(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1000.0;
    if milliseconds < 100.0 { format!("{milliseconds:.1}") } else { format!("{milliseconds:.0}") }
}
