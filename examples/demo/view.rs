//! What the person sees: a picture that is redrawn on a terminal, or lines where the output goes elsewhere.

use std::env;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _, stdout};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::Lab;
use crate::lab::gwha::Gwha;
use crate::lab::probe::{Outage, Probe};
use crate::lab::topology::{Host, Segment};

use super::ms;
use super::stage::{Act, Measured};

/// One mark of the client's strip stands for so much time.
const MARK: Duration = ms(50);

/// The marks in the strip.
const MARKS: usize = 70;

/// How often the picture is drawn anew.
const FRAME: Duration = ms(100);

/// Everything there is to show.
pub struct Scene<'a> {
    pub lab: &'a Lab,
    pub nodes: &'a [Gwha],
    pub probe: &'a Probe,
    pub acts: &'a [Act],
}

/// The output, and what was last written to it.
pub struct View {
    start: Instant,
    interval_ms: u32,
    form: Form,
    drawn: Instant,
}

enum Form {
    /// A picture of so many lines, drawn over and over.
    Picture { lines: usize, colour: Colour },
    /// One line for each thing that happens, with the roles as last said.
    Lines { roles: Vec<(Host, String)> },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Colour {
    Yes,
    No,
}

impl View {
    /// A picture on a terminal, lines elsewhere.
    pub fn new(interval_ms: u32) -> View {
        let form = if stdout().is_terminal() {
            let colour = if env::var_os("NO_COLOR").is_some() { Colour::No } else { Colour::Yes };
            Form::Picture { lines: 0, colour }
        } else {
            println!("Two gateways, one address. Adverts every {interval_ms} ms, probes every 5 ms.");
            Form::Lines { roles: Vec::new() }
        };
        let now = Instant::now();
        View { start: now, interval_ms, form, drawn: now - FRAME }
    }

    /// An act begins.
    pub fn announce(&mut self, title: &str) {
        let elapsed = self.start.elapsed();
        if let Form::Lines { .. } = self.form {
            println!("{}  {title}", clock(elapsed));
        }
    }

    /// Something that is not part of the play.
    pub fn say(&mut self, text: &str) {
        match &mut self.form {
            Form::Picture { lines, .. } => {
                println!("{text}");
                *lines = 0;
            }
            Form::Lines { .. } => println!("{}    {text}", clock(self.start.elapsed())),
        }
    }

    /// An act has ended.
    pub fn report(&mut self, act: &Act) {
        let elapsed = self.start.elapsed();
        if let Form::Lines { .. } = self.form {
            println!("{}    {}", clock(elapsed), result(act));
        }
    }

    /// Shows the scene, if it is time for a new frame.
    pub fn show(&mut self, scene: &Scene<'_>) {
        if self.drawn.elapsed() < FRAME {
            return;
        }
        self.drawn = Instant::now();
        let states: Vec<Node> = [Host::A, Host::B].into_iter().map(|host| Node::look(scene, host)).collect();
        let elapsed = self.start.elapsed();
        match &mut self.form {
            Form::Lines { roles } => tell_changes(elapsed, roles, &states),
            Form::Picture { lines, colour } => {
                let picture = draw(elapsed, self.interval_ms, scene, &states, *colour);
                let mut out = stdout().lock();
                if *lines > 0 {
                    let _ = write!(out, "\x1b[{lines}F");
                }
                *lines = picture.lines().count();
                for line in picture.lines() {
                    let _ = writeln!(out, "{line}\x1b[K");
                }
                let _ = out.flush();
            }
        }
    }

    /// Has the next frame shown whatever the time.
    pub fn redraw(&mut self) {
        self.drawn = Instant::now() - FRAME;
    }
}

/// What is shown of a gateway.
struct Node {
    host: Host,
    role: String,
    cause: String,
    since: Option<f64>,
    priority: Option<u64>,
    carrier: String,
    holds: Vec<Segment>,
}

impl Node {
    fn look(scene: &Scene<'_>, host: Host) -> Node {
        let node = scene.nodes.iter().find(|node| node.host == host);
        let status = node.and_then(Gwha::status).unwrap_or(Value::Null);
        let group = &status["groups"][0];
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let holds = |segment: &Segment| scene.lab.holders(*segment).contains(&host);
        Node {
            host,
            role: if status.is_null() { "off".to_owned() } else { word(&group["role"]) },
            cause: word(&group["cause"]),
            since: group["since"].as_f64(),
            priority: group["priority"].as_u64(),
            carrier: word(&status["tracks"][0]["state"]),
            holds: Segment::ALL.iter().copied().filter(holds).collect(),
        }
    }
}

fn tell_changes(elapsed: Duration, roles: &mut Vec<(Host, String)>, nodes: &[Node]) {
    for node in nodes {
        let known = roles.iter_mut().find(|(host, _)| *host == node.host);
        let changed = known.as_ref().is_none_or(|(_, role)| *role != node.role);
        if changed {
            let cause = if node.cause.is_empty() { String::new() } else { format!(" ({})", node.cause) };
            println!("{}    {}: {}{cause}", clock(elapsed), node.host, node.role);
        }
        match known {
            Some((_, role)) => role.clone_from(&node.role),
            None => roles.push((node.host, node.role.clone())),
        }
    }
}

fn draw(elapsed: Duration, interval_ms: u32, scene: &Scene<'_>, nodes: &[Node], colour: Colour) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\n  gwha: two gateways, one address{:>40}  {}\n",
        format!("adverts every {interval_ms} ms"),
        clock(elapsed)
    );
    let _ = writeln!(text, "     role     priority  carrier  holds the VIPs of   since     cause");
    for node in nodes {
        let role = paint(colour, role_colour(&node.role), &format!("{:<8}", node.role.to_uppercase()));
        let priority = node.priority.map(|p| p.to_string()).unwrap_or_default();
        let since = node.since.map(|s| format!("{s:.1} s")).unwrap_or_default();
        let holds: Vec<String> = node.holds.iter().map(Segment::to_string).collect();
        let carrier =
            paint(colour, if node.carrier == "down" { RED } else { PLAIN }, &format!("{:<7}", node.carrier));
        let _ = writeln!(
            text,
            "  {}  {role} {priority:>8}  {carrier}  {:<18}  {since:<8}  {}",
            node.host,
            holds.join(" "),
            node.cause
        );
    }
    let strip: String = scene.probe.strip(MARKS, MARK);
    let _ = writeln!(text, "\n  client  {}", paint_strip(colour, &strip));
    let _ = writeln!(text, "          probes to the world outside every 5 ms; a mark is 50 ms, x a loss\n");
    for act in scene.acts {
        let mark = match &act.result {
            None => paint(colour, YELLOW, ">"),
            Some(_) if act.is_good() => paint(colour, GREEN, "+"),
            Some(_) => paint(colour, RED, "!"),
        };
        let _ = writeln!(
            text,
            "  {mark} {:<42}{}",
            act.title,
            if act.result.is_some() { result(act) } else { String::new() }
        );
    }
    text
}

/// How an act ended, in words.
fn result(act: &Act) -> String {
    let budget = act.budget.as_secs_f64();
    let verdict = if act.is_good() { "within" } else { "EXCEEDS" };
    match act.result {
        None => String::new(),
        Some(Measured::Stuck) => "DID NOT HAPPEN".to_owned(),
        Some(Measured::Served { after }) => {
            format!("served after {:.2} s, {verdict} {budget:.2} s", after.as_secs_f64())
        }
        Some(Measured::Moved { outage: Outage { lost: 0, .. } }) => {
            format!("no probe lost, {verdict} {budget:.2} s")
        }
        Some(Measured::Moved { outage: Outage { lost, duration } }) => {
            format!("out for {:.3} s, {verdict} {budget:.2} s ({lost} probes lost)", duration.as_secs_f64())
        }
    }
}

fn clock(elapsed: Duration) -> String {
    format!("{:>2}:{:04.1}", elapsed.as_secs() / 60, elapsed.as_secs_f64() % 60.0)
}

const PLAIN: &str = "";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

fn role_colour(role: &str) -> &'static str {
    match role {
        "master" => GREEN,
        "fault" | "off" => RED,
        _ => PLAIN,
    }
}

fn paint(colour: Colour, code: &str, text: &str) -> String {
    if colour == Colour::No || code.is_empty() {
        text.to_owned()
    } else {
        format!("\x1b[1;{code}m{text}\x1b[0m")
    }
}

fn paint_strip(colour: Colour, strip: &str) -> String {
    strip
        .chars()
        .map(|mark| match mark {
            'x' => paint(colour, RED, "x"),
            ':' => paint(colour, YELLOW, ":"),
            other => other.to_string(),
        })
        .collect()
}
