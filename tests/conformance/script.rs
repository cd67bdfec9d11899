//! A scenario file: what happens, when, and what the engine is expected to do about it.

use crate::stage::{Micros, Stage};

/// A parsed file.
pub struct Script<'t> {
    lines: Vec<Line<'t>>,
}

enum Line<'t> {
    /// Comment, blank line.
    Text(&'t str),
    /// `== what the case shows`.
    Case(&'t str),
    /// `config …` or `track …`: before the first case they hold for all.
    Given(&'t str),
    /// `1.500  links up`.
    Input { whole: &'t str, at: Micros, what: &'t str },
    /// `1.500  -> role master, master_down`.
    Expected,
}

/// What went wrong, with the line number in front.
type Problem = String;

impl<'t> Script<'t> {
    /// Reads a file.
    pub fn parse(text: &'t str) -> Result<Script<'t>, Problem> {
        let lines = text.lines().enumerate();
        let lines =
            lines.map(|(index, line)| Line::parse(line).map_err(|why| format!("{}: {why}", index + 1)));
        Ok(Script { lines: lines.collect::<Result<_, _>>()? })
    }

    /// The file as it would stand if the engine were right in everything.
    pub fn play(&self) -> Result<String, Problem> {
        let mut out = String::new();
        let mut defaults = Vec::new();
        let mut case: Option<Case> = None;
        for (index, line) in self.lines.iter().enumerate() {
            let outcome = match line {
                Line::Expected => continue,
                Line::Text(text) => {
                    if let Some(case) = &mut case {
                        case.flush(&mut out);
                    }
                    push(&mut out, text);
                    continue;
                }
                Line::Case(title) => {
                    end(&mut case, &mut out);
                    case = Some(Case::new(&defaults)?);
                    push(&mut out, title);
                    continue;
                }
                Line::Given(given) => {
                    push(&mut out, given);
                    match &mut case {
                        Some(case) => case.given(given),
                        None => {
                            defaults.push(*given);
                            Case::new(&defaults).map(drop)
                        }
                    }
                }
                Line::Input { whole, at, what } => match &mut case {
                    Some(case) => case.input(whole, *at, what, &mut out),
                    None => Err("nothing can happen before the first ==".to_owned()),
                },
            };
            outcome.map_err(|why| format!("{}: {why}", index + 1))?;
        }
        end(&mut case, &mut out);
        Ok(out)
    }
}

impl<'t> Line<'t> {
    fn parse(line: &'t str) -> Result<Line<'t>, String> {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return Ok(Line::Text(line));
        }
        if trimmed.starts_with("==") {
            return Ok(Line::Case(line));
        }
        if trimmed.starts_with("config ") || trimmed.starts_with("track ") {
            return Ok(Line::Given(line));
        }
        if trimmed.starts_with("->") {
            return Ok(Line::Expected);
        }
        let (time, what) = trimmed.split_once(char::is_whitespace).ok_or(format!("'{line}' is no line"))?;
        let what = what.trim();
        if what.starts_with("->") {
            return Ok(Line::Expected);
        }
        let seconds: f64 = time.parse().map_err(|_| format!("'{time}' is no time"))?;
        Ok(Line::Input { whole: line, at: (seconds * 1e6).round() as Micros, what })
    }
}

/// A case being played.
struct Case {
    stage: Stage,
    /// The expectation column's time in the last line written.
    shown: Option<Micros>,
}

impl Case {
    fn new(defaults: &[&str]) -> Result<Case, String> {
        let mut case = Case { stage: Stage::default(), shown: None };
        for given in defaults {
            case.given(given)?;
        }
        Ok(case)
    }

    fn given(&mut self, line: &str) -> Result<(), String> {
        match line.trim().split_once(' ') {
            Some(("config", rest)) => self.stage.configure(rest),
            Some(("track", rest)) => self.stage.setup().add_track(rest),
            _ => Err("neither config nor track".to_owned()),
        }
    }

    fn input(&mut self, whole: &str, at: Micros, what: &str, out: &mut String) -> Result<(), String> {
        self.stage.run_until(at)?;
        if std::mem::take(&mut self.stage.hushed) {
            self.stage.take_said();
        }
        self.flush(out);
        push(out, whole);
        self.shown = Some(at);
        self.stage.input(what)
    }

    fn flush(&mut self, out: &mut String) {
        if self.stage.hushed {
            return;
        }
        for said in fold(self.stage.take_said()) {
            let time = if self.shown == Some(said.at) { String::new() } else { clock(said.at) };
            push(out, &format!("{time:<10} -> {}", said.text));
            self.shown = Some(said.at);
        }
    }
}

fn end(case: &mut Option<Case>, out: &mut String) {
    if let Some(case) = case {
        case.flush(out);
    }
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

/// A line of the transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub at: Micros,
    pub text: String,
}

/// Writes what recurs at one interval, three times or more, as one line.
fn fold(said: Vec<Said>) -> Vec<Said> {
    let mut folded = Vec::new();
    let mut done = vec![false; said.len()];
    for (index, line) in said.iter().enumerate() {
        if done[index] {
            continue;
        }
        let same: Vec<usize> = (index..said.len()).filter(|other| said[*other].text == line.text).collect();
        let run = regular(&said, &same);
        if run < 3 {
            folded.push(line.clone());
            continue;
        }
        same[..run].iter().for_each(|other| done[*other] = true);
        let period = clock(said[same[1]].at - line.at);
        folded.push(Said { at: line.at, text: format!("{} ({run} times, every {period})", line.text) });
    }
    folded
}

/// How many of the lines at these positions follow the first one at one interval.
fn regular(said: &[Said], same: &[usize]) -> usize {
    let [first, second, ..] = same else { return same.len() };
    let period = said[*second].at - said[*first].at;
    let regular = same.windows(2).take_while(|pair| said[pair[1]].at - said[pair[0]].at == period);
    if period == 0 { 1 } else { 1 + regular.count() }
}

/// Seconds, with milliseconds always and microseconds where there are any.
pub fn clock(at: Micros) -> String {
    let micros = format!("{}.{:06}", at / 1_000_000, at % 1_000_000);
    let (head, tail) = micros.split_at(micros.len() - 3);
    format!("{head}{}", tail.trim_end_matches('0'))
}

/// The lines that differ, with the case they stand in.
pub fn diff(should: &str, is: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (should.lines().collect(), is.lines().collect());
    let (mut i, mut j, mut title, mut out) = (0, 0, "", String::new());
    while i < old.len() || j < new.len() {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b => {
                if a.starts_with("==") {
                    title = a;
                }
                (i, j) = (i + 1, j + 1);
                continue;
            }
            _ => {}
        }
        if !title.is_empty() {
            push(&mut out, title);
            title = "";
        }
        // The next line that both have; inputs are in both, so it is near.
        let (skip_old, skip_new) = resync(&old[i..], &new[j..]);
        old[i..i + skip_old].iter().for_each(|line| push(&mut out, &format!("-{line}")));
        new[j..j + skip_new].iter().for_each(|line| push(&mut out, &format!("+{line}")));
        (i, j) = (i + skip_old, j + skip_new);
    }
    out
}

/// How many lines to leave out on each side until both go on with the same one.
fn resync(old: &[&str], new: &[&str]) -> (usize, usize) {
    for total in 1..old.len() + new.len() {
        for skip_old in 0..=total.min(old.len()) {
            let skip_new = total - skip_old;
            if old.get(skip_old).is_some_and(|line| new.get(skip_new) == Some(line)) {
                return (skip_old, skip_new);
            }
        }
    }
    (old.len(), new.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = "config self=b\n\n== x\n0.000     links up\n           -> notice: priority 2 to 90\n0.100     terminate\n           -> init becomes backup, terminated\n           -> exit\n";

    fn played(text: &str) -> Result<String, Problem> {
        Script::parse(text)?.play()
    }

    #[test]
    fn a_right_case_comes_out_as_it_went_in() {
        assert_eq!(played(CASE).as_deref(), Ok(CASE));
    }

    #[test]
    fn a_missing_action_and_one_too_many_are_differences() {
        let missing = CASE.replace("           -> exit\n", "           -> announce lan\n");

        let is = played(&missing).expect("it can be played");

        assert_eq!(diff(&missing, &is), "== x\n-           -> announce lan\n+           -> exit\n");
        assert_eq!(diff(CASE, &is), "");
    }

    #[test]
    fn a_mistake_is_reported_with_its_line() {
        let mistake = |text| played(text).expect_err("it can't be played");

        assert_eq!(mistake("config self=z\n"), "1: self=z: 'z' is no router (a to h)");
        assert_eq!(
            mistake("== x\n0.000 links sideways\n"),
            "2: a link can't be 'sideways' in 'links sideways'"
        );
        assert_eq!(mistake("== x\n1.000 end\n0.500 end\n"), "3: time runs backwards");
        assert_eq!(mistake("0.000 links up\n"), "1: nothing can happen before the first ==");
        assert_eq!(mistake("== x\nsoon end\n"), "2: 'soon' is no time");
    }

    #[test]
    fn what_recurs_regularly_stands_once() {
        let said = |at, text: &str| Said { at, text: text.to_owned() };
        let all =
            vec![said(1, "x"), said(2, "y"), said(11, "x"), said(12, "z"), said(21, "x"), said(25, "x")];

        let folded = fold(all);

        let line = said(1, "x (3 times, every 0.00001)");
        assert_eq!(folded, [line, said(2, "y"), said(12, "z"), said(25, "x")]);
    }

    #[test]
    fn times_have_milliseconds_and_microseconds_where_there_are_any() {
        assert_eq!(clock(3_648_437), "3.648437");
        assert_eq!(clock(10_000_200), "10.0002");
        assert_eq!(clock(5), "0.000005");
        assert_eq!(clock(0), "0.000");
    }
}
