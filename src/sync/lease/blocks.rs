//! A map for thousands of leases.
//!
//! It is kept in order as `crate::sorted` is, but in blocks: an insertion moves what follows in one of them only. A
//! `BTreeMap` is as fast, and takes ten times the code for each pair of types.

use core::cmp::Ordering;
use core::slice;

use crate::sorted;

/// Values by their keys, in the order of the keys.
#[derive(Debug)]
pub struct Blocks<K, V> {
    /// None of them is empty.
    blocks: Vec<Vec<(K, V)>>,
    len: usize,
}

/// Entries of a block before it is split.
const BLOCK_MAX: usize = 128;

/// A block, and the place of a key in it: where it is, or where it would be.
type Place = (usize, Result<usize, usize>);

impl<K: Ord, V> Blocks<K, V> {
    /// Without entries.
    pub const fn new() -> Blocks<K, V> {
        Blocks { blocks: Vec::new(), len: 0 }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    fn find(&self, key: &K) -> Place {
        let compare = |entry: Option<&(K, V)>| entry.map_or(Ordering::Less, |(other, _)| other.cmp(key));
        let first = |block: usize| self.blocks.get(block).and_then(|entries| entries.first());
        let begins = sorted::find(self.blocks.len(), &mut |block| compare(first(block)));
        let block = begins.unwrap_or_else(|after| after.saturating_sub(1));
        let entries = self.blocks.get(block).map(Vec::as_slice).unwrap_or_default();
        (block, sorted::find(entries.len(), &mut |at| compare(entries.get(at))))
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let (block, found) = self.find(key);
        self.blocks.get(block)?.get(found.ok()?).map(|(_, value)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (block, found) = self.find(key);
        self.blocks.get_mut(block)?.get_mut(found.ok()?).map(|(_, value)| value)
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: K, value: V) {
        let (block, found) = self.find(&key);
        if self.blocks.is_empty() {
            self.blocks.push(Vec::new());
        }
        let Some(entries) = self.blocks.get_mut(block) else { return };
        match found {
            Ok(at) => {
                if let Some((_, old)) = entries.get_mut(at) {
                    *old = value;
                }
            }
            Err(at) => {
                entries.insert(at, (key, value));
                self.len = self.len.saturating_add(1);
                if entries.len() > BLOCK_MAX {
                    let upper = entries.split_off(BLOCK_MAX / 2);
                    self.blocks.insert(block.saturating_add(1), upper);
                }
            }
        }
    }

    /// Takes the entry of a key away.
    pub fn remove(&mut self, key: &K) {
        let (block, found) = self.find(key);
        let (Some(entries), Ok(at)) = (self.blocks.get_mut(block), found) else { return };
        entries.remove(at);
        self.len = self.len.saturating_sub(1);
        if entries.is_empty() {
            self.blocks.remove(block);
        }
    }

    /// Keeps the entries of which `keep` is true.
    pub fn retain(&mut self, keep: &mut dyn FnMut(&K, &mut V) -> bool) {
        for entries in &mut self.blocks {
            entries.retain_mut(|(key, value)| keep(key, value));
        }
        self.blocks.retain(|entries| !entries.is_empty());
        self.len = self.blocks.iter().map(Vec::len).sum();
    }

    /// The entries.
    pub fn iter(&self) -> Entries<'_, K, V> {
        Entries { rest: self.blocks.iter(), block: [].iter() }
    }

    /// The entries from this key on.
    pub fn from(&self, key: &K) -> Entries<'_, K, V> {
        let (block, found) = self.find(key);
        let (Ok(at) | Err(at)) = found;
        let mut rest = self.blocks.get(block..).unwrap_or_default().iter();
        let first = rest.next().and_then(|entries| entries.get(at..)).unwrap_or_default();
        Entries { rest, block: first.iter() }
    }
}

/// Entries in their order.
pub struct Entries<'a, K, V> {
    rest: slice::Iter<'a, Vec<(K, V)>>,
    block: slice::Iter<'a, (K, V)>,
}

impl<'a, K, V> Iterator for Entries<'a, K, V> {
    type Item = &'a (K, V);

    fn next(&mut self) -> Option<&'a (K, V)> {
        if self.block.as_slice().is_empty() {
            self.block = self.rest.next()?.iter();
        }
        self.block.next()
    }
}

impl<K: Ord, V> Default for Blocks<K, V> {
    fn default() -> Blocks<K, V> {
        Blocks::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn blocks_are_what_a_tree_would_be(
            steps in proptest::collection::vec((0_u8..8, 0_u16..600, any::<u8>()), 0..2000),
        ) {
            let (mut blocks, mut tree) = (Blocks::new(), BTreeMap::new());
            for (step, key, value) in steps {
                match step {
                    0 if value < 3 => {
                        blocks.retain(&mut |_, it| *it % 4 != value);
                        tree.retain(|_, it| *it % 4 != value);
                    }
                    0 => {
                        blocks.retain(&mut |_, it| {
                            *it ^= value;
                            true
                        });
                        tree.values_mut().for_each(|it| *it ^= value);
                    }
                    1 | 2 => {
                        blocks.remove(&key);
                        tree.remove(&key);
                    }
                    _ => {
                        blocks.insert(key, value);
                        tree.insert(key, value);
                    }
                }
                prop_assert_eq!(blocks.len(), tree.len());
                prop_assert_eq!(blocks.get(&key), tree.get(&key));
                prop_assert_eq!(blocks.get_mut(&key), tree.get_mut(&key));
                prop_assert!(blocks.from(&key).map(|(k, v)| (k, v)).eq(tree.range(key..)));
            }
            prop_assert!(blocks.iter().map(|(k, v)| (k, v)).eq(&tree));
            prop_assert!(blocks.blocks.iter().all(|block| !block.is_empty() && block.len() <= BLOCK_MAX));
        }
    }
}
