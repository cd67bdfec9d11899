//! Decoding of structs with named members, in little code.
//!
//! Every struct that is read from the other router, the control socket or the bus follows the same rules: what is
//! absent keeps its default, what is unknown is skipped, and of two values of one name the later counts. Serde derives
//! code for each of these cases at each member, 300 bytes of it. Here a struct only says where the value of a name
//! goes, which takes 40, and one loop does the rest.

use core::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// A struct that [`decode!`] was told the members of.
pub trait Record: Default {
    /// Where the value of this name goes.
    fn place<'de, A: MapAccess<'de>>(&mut self, name: &str) -> Option<&mut dyn Place<'de, A>>;
}

/// A member of a struct, whatever its type.
pub trait Place<'de, A: MapAccess<'de>> {
    /// Puts the next value of a map here.
    fn fill(&mut self, map: &mut A) -> Result<(), A::Error>;
}

impl<'de, A: MapAccess<'de>, T: Deserialize<'de>> Place<'de, A> for T {
    fn fill(&mut self, map: &mut A) -> Result<(), A::Error> {
        *self = map.next_value()?;
        Ok(())
    }
}

/// Decodes a struct.
pub fn deserialize<'de, T: Record, D: Deserializer<'de>>(source: D) -> Result<T, D::Error> {
    source.deserialize_map(Members(PhantomData))
}

/// Takes the members of a `T` out of a map.
struct Members<T>(PhantomData<T>);

impl<'de, T: Record> Visitor<'de> for Members<T> {
    type Value = T;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut record = T::default();
        fill(&mut record, &mut map)?;
        Ok(record)
    }
}

/// A [`Record`] of whatever type.
trait Places<'de, A: MapAccess<'de>> {
    fn place(&mut self, name: &str) -> Option<&mut dyn Place<'de, A>>;
}

impl<'de, A: MapAccess<'de>, T: Record> Places<'de, A> for T {
    fn place(&mut self, name: &str) -> Option<&mut dyn Place<'de, A>> {
        Record::place(self, name)
    }
}

/// The one loop.
fn fill<'de, A: MapAccess<'de>>(record: &mut dyn Places<'de, A>, map: &mut A) -> Result<(), A::Error> {
    while let Some(name) = map.next_key::<String>()? {
        match record.place(&name) {
            Some(place) => place.fill(map)?,
            None => drop(map.next_value::<IgnoredAny>()?),
        }
    }
    Ok(())
}

/// Makes structs decodable, which names all their members: `decode! { Peer: name, address, kind as "type" }`.
///
/// The name on the wire is that of the member unless another follows it.
macro_rules! decode {
    ($($record:ident: $($member:ident $(as $name:literal)?),+;)+) => {$(
        impl $crate::record::Record for $record {
            fn place<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                name: &str,
            ) -> Option<&mut dyn $crate::record::Place<'de, A>> {
                // Without `..`, so that none can be forgotten.
                let Self { $($member),+ } = self;
                match name {
                    $($crate::record::decode!(@name $member $($name)?) => Some($member),)+
                    _ => None,
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $record {
            fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                $crate::record::deserialize(source)
            }
        }
    )+};
    (@name $member:ident) => { stringify!($member) };
    (@name $member:ident $name:literal) => { $name };
}

pub(crate) use decode;

#[cfg(test)]
mod tests {
    #[derive(Debug, PartialEq)]
    struct Track {
        kind: String,
        streak: u16,
        error: Option<String>,
    }

    impl Default for Track {
        fn default() -> Track {
            Track { kind: "ping".into(), streak: 7, error: None }
        }
    }

    decode! { Track: kind as "type", streak, error; }

    fn track(text: &str) -> Option<Track> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn members_come_in_any_order_and_under_their_names_on_the_wire() {
        let expected = Track { kind: "arp".into(), streak: 2, error: Some("why".into()) };
        assert_eq!(track(r#"{"error":"why","streak":2,"type":"arp"}"#), Some(expected));
    }

    #[test]
    fn absent_members_keep_their_default() {
        assert_eq!(track("{}"), Some(Track::default()));
        assert_eq!(track(r#"{"streak":1}"#), Some(Track { streak: 1, ..Track::default() }));
    }

    #[test]
    fn unknown_members_are_skipped() {
        assert_eq!(track(r#"{"kind":"tcp","more":[{"type":"tcp"}]}"#), Some(Track::default()));
    }

    #[test]
    fn of_two_values_the_later_counts() {
        assert_eq!(track(r#"{"streak":1,"streak":2}"#), Some(Track { streak: 2, ..Track::default() }));
    }

    #[test]
    fn a_value_of_the_wrong_type_is_an_error() {
        assert_eq!(track(r#"{"streak":"1"}"#), None);
        assert_eq!(track(r#"{"streak":65536}"#), None);
        assert_eq!(track("[]"), None);
    }
}
