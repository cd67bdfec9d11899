//! The samples as Markdown tables, one for each question.

use std::fmt::Write as _;

use super::case::{Question, Sample};
use super::program::Program;
use super::report::{machine, percentile};

pub fn render(samples: &[Sample]) -> String {
    let mut text = format!(
        "{}\n\nEach figure: median / 90th percentile of the windows, or the one value there is.\n",
        machine()
    );
    for question in Question::ALL {
        let of_question: Vec<&Sample> = samples.iter().filter(|sample| sample.question == question).collect();
        if !of_question.is_empty() {
            table(&mut text, question, &of_question);
        }
    }
    text
}

fn table(text: &mut String, question: Question, samples: &[&Sample]) {
    let _ = writeln!(text, "\n### {}\n", title(question));
    let has_bare = samples.iter().any(|sample| sample.program == Program::Bare);
    text.push_str("| case | what | keepalived | gwha | ratio |");
    text.push_str(if has_bare {
        " bare | gwha / bare |\n|---|---|---|---|---|---|---|\n"
    } else {
        "\n|---|---|---|---|---|\n"
    });
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for sample in samples {
        let row = (sample.case.as_str(), sample.what.as_str());
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    for (case, what) in rows {
        let of = |program| values(samples, program, case, what);
        let (theirs, ours) = (of(Program::Keepalived), of(Program::Gwha));
        let against_them = ratio(&theirs, &ours);
        let _ =
            write!(text, "| {case} | {what} | {} | {} | {against_them} |", figures(&theirs), figures(&ours));
        if has_bare {
            let bare = of(Program::Bare);
            let _ = write!(text, " {} | {} |", figures(&bare), ratio(&bare, &ours));
        }
        text.push('\n');
    }
    if question == Question::Instances {
        slopes(text, samples);
    }
}

fn title(question: Question) -> &'static str {
    match question {
        Question::Cpu => "Three instances in one group, at rest",
        Question::Size => "On disk",
        Question::Instances => "So many instances on one network, 100 ms between adverts, at rest",
        Question::Jitter => "Time between two adverts of the master",
        Question::Completeness => "250 instances taken over after a power loss, 100 ms between adverts",
    }
}

/// What one instance more costs, from 1 to 250.
fn slopes(text: &mut String, samples: &[&Sample]) {
    text.push_str("\nOne instance more costs (from 1 to 250):\n\n| what | keepalived | gwha | ratio |\n|---|---|---|---|\n");
    for what in ["master: CPU, s/h", "backup: CPU, s/h", "memory of a node (PSS), KiB"] {
        let slope = |program| {
            let at = |case| percentile(&values(samples, program, case, what), 50);
            Some((at("250")? - at("1")?) / 249.0)
        };
        if let (Some(theirs), Some(ours)) = (slope(Program::Keepalived), slope(Program::Gwha)) {
            let _ = writeln!(text, "| {what} | {theirs:.3} | {ours:.3} | {:.2} |", ours / theirs);
        }
    }
}

fn values(samples: &[&Sample], program: Program, case: &str, what: &str) -> Vec<f64> {
    let wanted = |s: &&&Sample| s.program == program && s.case == case && s.what == what;
    let mut values: Vec<f64> = samples.iter().filter(wanted).map(|sample| sample.value).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn figures(sorted: &[f64]) -> String {
    match (sorted, percentile(sorted, 50), percentile(sorted, 90)) {
        ([only], ..) => figure(*only),
        (_, Some(median), Some(high)) => format!("{} / {}", figure(median), figure(high)),
        _ => "-".to_owned(),
    }
}

fn figure(value: f64) -> String {
    if value == 0.0 || value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// gwha's part of another one's figure, by the medians: below 1 is better.
fn ratio(theirs: &[f64], ours: &[f64]) -> String {
    match (percentile(theirs, 50), percentile(ours, 50)) {
        (Some(theirs), Some(ours)) if theirs > 0.0 => format!("{:.2}", ours / theirs),
        _ => "-".to_owned(),
    }
}
