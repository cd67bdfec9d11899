//! Structs whose members are reached by their place, so that one loop each way encodes and decodes them all.

use super::decode::Source;
use super::{Decode, Encode, Error};

/// A struct with named members.
pub trait Record {
    /// The names of the members, in the order on the wire.
    fn names(&self) -> &'static [&'static str];

    /// The member at a place in that order.
    fn member(&self, place: usize) -> Option<&dyn Member>;

    /// The same, to be changed.
    fn member_mut(&mut self, place: usize) -> Option<&mut dyn Member>;

    /// Whether a member is not worth encoding.
    fn is_left_out(&self, place: usize) -> bool;
}

/// What can be encoded and decoded. (One trait, so that both ways to a member are the same code.)
pub trait Member: Encode {
    /// Takes in a value.
    ///
    /// # Errors
    /// Those of [`Decode::decode`].
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error>;
}

impl<T: Encode + Decode> Member for T {
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error> {
        Decode::decode(self, source)
    }
}
