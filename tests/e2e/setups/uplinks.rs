//! S1: a fibre router with four tests, and a mobile backup of lower priority without any.

use crate::lab::gwha::Gwha;
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, holds_for, scenario, until};

use super::super::support::{LIMIT, ms, until_role};

/// Twenty good tests in a row, at one every tenth of a second.
const RISE: u64 = 20;

pub fn file() -> String {
    let mut text = String::from(
        "config gwha 'main'\n\toption enabled '1'\n\n\
         config instance 'lan'\n\toption device 'lan'\n\toption vrid '51'\n\toption advert_interval '100'\n\
         \tlist router '192.168.100.2'\n\tlist router '192.168.100.3'\n\tlist vip '192.168.100.1/24'\n\
         \tlist priority '100'\n\tlist priority '50'\n\toption preempt_delay '0'\n",
    );
    for number in 1..=4 {
        text += &format!("\tlist track 'test{number}'\n");
    }
    for number in 1..=4 {
        text += &format!(
            "\nconfig track 'test{number}'\n\tlist target '198.51.100.{number}'\n\toption device 'wan'\n\
             \toption interval '0.1'\n\toption timeout '0.1'\n\toption fall '2'\n\toption rise '{RISE}'\n\
             \toption weight '-20'\n\tlist only '192.168.100.2'\n"
        );
    }
    text
}

/// The hosts of the world that the tests ask are there, or are not.
pub fn world(lab: &Lab, number: u8, verb: &str) {
    lab.netns(Host::Carrier).ip_batch(&format!("address {verb} 198.51.100.{number}/32 dev lo\n"));
}

#[test]
fn three_failed_tests_move_the_gateway_and_twenty_good_ones_bring_it_back() {
    scenario(|lab| {
        for number in 2..=4 {
            world(lab, number, "add");
        }
        let a = Gwha::start_with(lab, Host::A, &file());
        let b = Gwha::start_with(lab, Host::B, &file());
        until_role(&a, "master");
        until_role(&b, "backup");
        let priority = |node: &Gwha| node.at("/groups/0/priority").as_u64();
        until("all tests are judged", LIMIT, || {
            (0..4).all(|place| a.at(&format!("/tracks/{place}/state")) == "up")
        });

        world(lab, 2, "del");
        world(lab, 3, "del");
        until("two tests have failed", LIMIT, || priority(&a) == Some(60));
        holds_for("A serves", ms(1000), || lab.holders(Segment::Lan) == [Host::A]);
        world(lab, 4, "del");
        until("B serves", LIMIT, || lab.holders(Segment::Lan) == [Host::B]);
        assert_eq!(priority(&b), Some(50));

        for number in 2..=4 {
            world(lab, number, "add");
        }
        holds_for("B serves until there were enough good tests", ms(RISE * 100 - 500), || {
            lab.holders(Segment::Lan) == [Host::B]
        });
        until("A serves again", LIMIT, || lab.holders(Segment::Lan) == [Host::A]);
    });
}
