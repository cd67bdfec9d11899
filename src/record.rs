//! Structs as tables, in little code.
//!
//! Every struct that is exchanged with the other router, the control socket or the bus follows the same rules: what is
//! absent is left out, or keeps its default when it is read, what is unknown is skipped, and of two values of one name
//! the later counts. So a struct only says which members it has; one loop each way does the rest.

/// Makes structs with a default encodable and decodable, which names all their members in the order on the wire:
/// `record! { Peer: name, address, kind as "type", others unless is_empty; }`.
///
/// The name on the wire is that of the member unless another follows it.
macro_rules! record {
    ($($record:ident: $($member:ident $(as $name:literal)? $(unless $empty:ident)?),+;)+) => {$(
        const _: () = {
            /// Where each member is in the order on the wire.
            #[allow(non_camel_case_types, reason = "they are the members' names")]
            enum At { $($member),+ }

            impl $crate::ubus::record::Record for $record {
                fn names(&self) -> &'static [&'static str] {
                    // Without `..`, so that none can be forgotten.
                    let Self { $($member: _),+ } = self;
                    &[$($crate::record::record!(@name $member $($name)?)),+]
                }

                fn member(&self, place: usize) -> Option<&dyn $crate::ubus::record::Member> {
                    match place {
                        $(place if place == At::$member as usize => Some(&self.$member),)+
                        _ => None,
                    }
                }

                fn member_mut(&mut self, place: usize) -> Option<&mut dyn $crate::ubus::record::Member> {
                    match place {
                        $(place if place == At::$member as usize => Some(&mut self.$member),)+
                        _ => None,
                    }
                }

                fn is_left_out(&self, place: usize) -> bool {
                    match place {
                        $($(place if place == At::$member as usize => self.$member.$empty(),)?)+
                        _ => false,
                    }
                }
            }
        };

        impl $crate::ubus::Encode for $record {
            fn encode(&self, place: $crate::ubus::Place<'_>) -> Result<(), $crate::ubus::Error> {
                place.record(self)
            }
        }

        impl $crate::ubus::Decode for $record {
            fn decode(&mut self, source: $crate::ubus::decode::Source<'_>) -> Result<(), $crate::ubus::Error> {
                source.record(self)
            }
        }
    )+};
    (@name $member:ident) => { stringify!($member) };
    (@name $member:ident $name:literal) => { $name };
}

pub(crate) use record;

use crate::sorted::Map;
use crate::ubus::decode::Source;
use crate::ubus::{Decode, Encode, Error, Place};

impl<V: Encode> Encode for Map<String, V> {
    fn encode(&self, place: Place<'_>) -> Result<(), Error> {
        let mut entries = self.iter();
        place.table(&mut || entries.next().map(|(key, value)| (key.as_str(), value as &dyn Encode)))
    }
}

impl<V: Decode + Default> Decode for Map<String, V> {
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error> {
        self.clear();
        for member in source.table()? {
            let (key, value) = member?;
            self.get_or_default(key.into_owned()).decode(value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::sorted::Map;
    use crate::ubus::json::Layout;
    use crate::ubus::{Data, json};

    #[derive(Debug, PartialEq)]
    struct Track {
        kind: String,
        streak: u16,
        error: Option<String>,
        others: Vec<u8>,
    }

    impl Default for Track {
        fn default() -> Track {
            Track { kind: "ping".into(), streak: 7, error: None, others: Vec::new() }
        }
    }

    record! { Track: kind as "type", streak, error, others unless is_empty; }

    fn track(text: &str) -> Option<Track> {
        Data::encode(&json::parse(text).unwrap()).ok()?.decode().ok()
    }

    fn text(track: &Track) -> String {
        Data::encode(track).unwrap().to_json(Layout::Compact).unwrap()
    }

    #[test]
    fn members_come_in_any_order_and_under_their_names_on_the_wire() {
        let expected = Track { kind: "arp".into(), streak: 2, error: Some("why".into()), others: vec![1] };
        assert_eq!(text(&expected), r#"{"type":"arp","streak":2,"error":"why","others":[1]}"#);
        assert_eq!(track(r#"{"error":"why","others":[1],"streak":2,"type":"arp"}"#), Some(expected));
    }

    #[test]
    fn absent_members_keep_their_default() {
        assert_eq!(text(&Track::default()), r#"{"type":"ping","streak":7}"#);
        assert_eq!(track("{}"), Some(Track::default()));
        assert_eq!(track(r#"{"streak":1}"#), Some(Track { streak: 1, ..Track::default() }));
    }

    #[test]
    fn unknown_members_are_skipped() {
        assert_eq!(track(r#"{"kind":"tcp","more":[{"type":"tcp"}]}"#), Some(Track::default()));
    }

    #[test]
    fn of_two_values_the_later_counts() {
        use crate::ubus::Table;
        let twice = Table::default().with("streak", 1).with("streak", 2);
        let read = Data::encode(&twice).unwrap().decode();
        assert_eq!(read, Ok(Track { streak: 2, ..Track::default() }));
    }

    #[test]
    fn a_value_of_the_wrong_type_is_an_error() {
        assert_eq!(track(r#"{"streak":"1"}"#), None);
        assert_eq!(track(r#"{"streak":65536}"#), None);
        assert_eq!(track(r#"{"streak":-1}"#), None);
    }

    #[test]
    fn map_travels_as_a_table() {
        let map: Map<String, u32> = [("b".into(), 2), ("a".into(), 1)].into_iter().collect();

        let data = Data::encode(&map).unwrap();

        assert_eq!(data.to_json(Layout::Compact).unwrap(), r#"{"a":1,"b":2}"#);
        assert_eq!(data.decode(), Ok(map));
    }
}
