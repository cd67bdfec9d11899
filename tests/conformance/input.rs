//! What a scenario can make happen: one input line, carried out.

use gwha::config::model::{GroupId, InstanceId, TrackId};
use gwha::engine::{ApplyOutcome, Command, CommandId, Event, Instant, LinkCondition, Maintenance, SwitchTo};

use crate::letter::Letter;
use crate::script::Said;
use crate::stage::{Answer, Host, Life, Micros, OwnAddress, SOON, Stage};
use crate::support::setup::{self, Node, number};
use crate::words;

impl Stage {
    /// Carries out an input line: `[NODE:] what`.
    pub fn input(&mut self, what: &str) -> Result<(), String> {
        let (node, what) = match what.split_once(": ") {
            Some((name, what)) => (Some(setup::node(name)?), what),
            None => (None, what),
        };
        self.raise(node, what);
        let nodes: Vec<Node> = self.hosts.iter().map(|host| host.node).collect();
        for node in nodes.into_iter().filter(|host| node.is_none_or(|node| node == *host)) {
            let index = self.hosts.iter().position(|host| host.node == node).expect("it is there");
            self.input_at(index, what).map_err(|why| format!("{why} in '{what}'"))?;
        }
        Ok(())
    }

    /// Starts the hosts at the first input, except one whose first input is `start`.
    fn raise(&mut self, node: Option<Node>, what: &str) {
        if self.hosts.is_empty() {
            let real = if self.real.is_empty() { vec![self.setup.this] } else { self.real.clone() };
            self.wire.resize(self.setup.members.len(), 200);
            self.hosts = real.into_iter().map(|node| Host::new(node, &self.setup)).collect();
        }
        for index in 0..self.hosts.len() {
            let host = &mut self.hosts[index];
            let meant = node.is_none_or(|node| node == host.node);
            if meant && host.life == Life::NotYet && !what.starts_with("start") {
                host.start(&self.setup, self.now);
            }
        }
    }

    fn input_at(&mut self, index: usize, what: &str) -> Result<(), String> {
        let words: Vec<&str> = what.split_whitespace().collect();
        let command = |command| Input::Command(command);
        let input = match words[..] {
            ["start"] => return self.start(index, false),
            ["start", "fresh"] => return self.start(index, true),
            ["kill"] => {
                self.hosts[index].engine = None;
                return Ok(());
            }
            ["stall", length] => {
                self.hosts[index].stalled_until = self.now + micros(length)?;
                return Ok(());
            }
            ["cut", name] => return self.cut(name, true),
            ["mend", name] => return self.cut(name, false),
            ["end"] => return Ok(()),
            ["settle"] => {
                self.hushed = true;
                return (0..self.setup.members.len()).try_for_each(|m| self.link(index, m, "up"));
            }
            ["links", state] => {
                return (0..self.setup.members.len()).try_for_each(|m| self.link(index, m, state));
            }
            ["link", name, state] => {
                let link = self.setup.links().iter().position(|link| link == name);
                return self.link(index, link.ok_or(format!("no link '{name}'"))?, state);
            }
            [names, "<", priority, "from", from, ref options @ ..] => {
                return self.receive(index, names, number(priority)?, from, options);
            }
            ["addresses", how] => return self.addresses(index, how),
            ["switch"] => command(Command::Switch(SwitchTo::Other)),
            ["switch", "here"] => command(Command::Switch(SwitchTo::This)),
            ["switch", "to", name] => {
                let to = self.setup.address(0, setup::node(name)?);
                command(Command::Switch(SwitchTo::Router(to)))
            }
            ["maintenance", "on"] => command(Command::Maintenance(Maintenance::On)),
            ["maintenance", "off"] => command(Command::Maintenance(Maintenance::Off)),
            ["recheck"] => command(Command::Recheck),
            ["kept"] => Input::Kept,
            ["hold", "over"] => Input::Hold(None),
            ["hold", length] => Input::Hold(Some(self.now + micros(length)?)),
            ["terminate"] => Input::Terminate,
            ["conflict", name] => Input::Conflict(setup::position(&self.setup.members, name)?),
            ["unsent", name] => Input::Unsent(setup::position(&self.setup.members, name)?),
            ["reload", ref changes @ ..] => return self.reload(index, changes),
            ["show", name] => return self.show(index, name),
            [name, ref answer @ ..] => return self.answers(index, name, answer),
            [] => return Err("nothing".to_owned()),
        };
        self.ask(index, input);
        Ok(())
    }

    fn ask(&mut self, index: usize, input: Input) {
        let event = match input {
            Input::Command(command) => {
                let host = &mut self.hosts[index];
                host.commands += 1;
                Event::Command { id: CommandId(host.commands), command }
            }
            Input::Kept => Event::Kept { group: GroupId(0) },
            Input::Hold(until) => {
                Event::HoldPreempt { until: until.map(|until| self.hosts[index].clock(until)) }
            }
            Input::Terminate => Event::Terminate,
            Input::Conflict(member) => Event::Conflict { instance: InstanceId(member as u16) },
            Input::Unsent(member) => Event::SendFailed { instance: InstanceId(member as u16) },
        };
        self.step(index, event);
    }

    /// A switch that passes nothing, or does again.
    fn cut(&mut self, names: &str, cut: bool) -> Result<(), String> {
        for member in self.members(names)? {
            self.cut.retain(|other| *other != member);
            self.cut.extend(cut.then_some(member));
        }
        Ok(())
    }

    /// `lan`, `lan,wan` or `all`.
    fn members(&self, names: &str) -> Result<Vec<usize>, String> {
        match names {
            "all" => Ok((0..self.setup.members.len()).collect()),
            names => names.split(',').map(|name| setup::position(&self.setup.members, name)).collect(),
        }
    }

    fn start(&mut self, index: usize, fresh: bool) -> Result<(), String> {
        let host = &mut self.hosts[index];
        if host.engine.is_some() {
            return Err("it runs already".to_owned());
        }
        if fresh {
            host.boot.groups.clear();
        }
        host.start(&self.setup, self.now);
        (0..self.setup.members.len()).for_each(|member| self.tell_link(index, member));
        Ok(())
    }

    fn link(&mut self, index: usize, member: usize, state: &str) -> Result<(), String> {
        let (condition, own) = match state {
            "up" => (LinkCondition::Up, OwnAddress::There),
            "noaddress" => (LinkCondition::Up, OwnAddress::Missing),
            "down" => (LinkCondition::AdminDown, OwnAddress::There),
            "nocarrier" => (LinkCondition::NoCarrier, OwnAddress::There),
            "blocked" => (LinkCondition::NotForwarding, OwnAddress::There),
            "missing" => (LinkCondition::Missing, OwnAddress::Missing),
            other => return Err(format!("a link can't be '{other}'")),
        };
        self.hosts[index].links[member] = (condition, own);
        self.tell_link(index, member);
        Ok(())
    }

    fn addresses(&mut self, index: usize, how: &str) -> Result<(), String> {
        self.hosts[index].applies = match how {
            "fail" => ApplyOutcome::Failing,
            "complete" => ApplyOutcome::Complete,
            other => return Err(format!("addresses can't '{other}'")),
        };
        self.applied(self.hosts[index].node);
        Ok(())
    }

    fn receive(
        &mut self,
        index: usize,
        names: &str,
        priority: u8,
        from: &str,
        options: &[&str],
    ) -> Result<(), String> {
        let to = self.hosts[index].node;
        let members = self.members(names)?;
        for member in members {
            let sender = if from == "x" { 60 } else { setup::node(from)? };
            let mut letter = Letter::new(&self.setup, member, priority, sender, to);
            options.iter().try_for_each(|option| letter.set(option, &self.setup))?;
            let (link, raw) = letter.seal();
            self.deliver(to, link, &raw);
        }
        Ok(())
    }

    fn reload(&mut self, index: usize, changes: &[&str]) -> Result<(), String> {
        let before = self.setup.clone();
        self.configure(&changes.join(" "))?;
        let links = self.setup.links().len();
        self.hosts[index].links.resize(links, (LinkCondition::Missing, OwnAddress::Missing));
        self.wire.resize(self.setup.members.len(), self.wire[0]);
        let config = self.setup.config(self.hosts[index].node);
        self.before = Some(before);
        self.step(index, Event::Config(config));
        self.before = None;
        Ok(())
    }

    /// `carrier silent`, `carrier refuses`, `carrier answers [after 3ms]`; `carrier.1` is its second target.
    fn answers(&mut self, index: usize, name: &str, words: &[&str]) -> Result<(), String> {
        let (name, target) = match name.split_once('.') {
            Some((name, target)) => (name, Some(number::<usize>(target)?)),
            None => (name, None),
        };
        let track = self.setup.tracks.iter().position(|track| track.name == name);
        let track = track.ok_or(format!("'{name}' is neither an input nor a track"))?;
        let answer = match words {
            ["silent"] => Answer::Never,
            ["refuses"] => Answer::Refused,
            ["answers"] => Answer::After(SOON),
            ["answers", "after", delay] => Answer::After(micros(delay)?),
            _ => return Err("a track is silent, refuses or answers [after 1ms]".to_owned()),
        };
        for (position, old) in self.hosts[index].answers[track].iter_mut().enumerate() {
            if target.is_none_or(|target| target == position) {
                *old = answer;
            }
        }
        Ok(())
    }

    fn show(&mut self, index: usize, name: &str) -> Result<(), String> {
        let host = &self.hosts[index];
        let engine = host.engine.as_ref().ok_or("it is not running")?;
        let now = host.clock(self.now);
        let member = self.setup.members.iter().position(|member| member.name == name);
        let track = self.setup.tracks.iter().position(|track| track.name == name);
        let text = match (name, member, track) {
            ("group", _, _) => {
                let at = |time: Instant| time.as_micros().saturating_sub(host.origin);
                words::group(&engine.group(GroupId(0), now), &self.setup, at)
            }
            (_, Some(member), _) => {
                words::instance(&engine.instance(InstanceId(member as u16), now), &self.setup)
            }
            (_, None, Some(track)) => words::track(&engine.track(TrackId(track as u16), now)),
            (_, None, None) => return Err("it is neither group, member nor track".to_owned()),
        };
        self.said.push(Said { at: self.now, text });
        Ok(())
    }
}

enum Input {
    Command(Command),
    Kept,
    Hold(Option<Micros>),
    Terminate,
    Conflict(usize),
    Unsent(usize),
}

/// A duration in a scenario's words.
pub fn micros(text: &str) -> Result<Micros, String> {
    Ok(setup::duration(text)?.as_micros() as Micros)
}
