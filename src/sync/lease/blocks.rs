//! A map for thousands of leases.
//!
//! It is kept in order as `crate::sorted` is, but in blocks: an insertion moves what follows in one of them only. A
//! `BTreeMap` is as fast, and takes ten times the code for each pair of types.

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
        let after = self.blocks.partition_point(|block| block.first().is_some_and(|(first, _)| first <= key));
        let block = after.saturating_sub(1);
        let found =
            self.blocks.get(block).map(|entries| entries.binary_search_by(|(other, _)| other.cmp(key)));
        (block, found.unwrap_or(Err(0)))
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
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        for entries in &mut self.blocks {
            entries.retain(|(key, value)| keep(key, value));
        }
        self.blocks.retain(|entries| !entries.is_empty());
        self.len = self.blocks.iter().map(Vec::len).sum();
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.blocks.iter().flatten()
    }

    /// The entries from this key on.
    pub fn from<'a>(&'a self, key: &K) -> impl Iterator<Item = &'a (K, V)> + use<'a, K, V> {
        let (block, found) = self.find(key);
        let (Ok(at) | Err(at)) = found;
        self.blocks.get(block..).unwrap_or_default().iter().flatten().skip(at)
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.blocks.iter_mut().flatten().map(|(_, value)| value)
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
                        blocks.retain(|_, it| it % 4 != value);
                        tree.retain(|_, it| *it % 4 != value);
                    }
                    0 => blocks.values_mut().zip(tree.values_mut()).for_each(|(one, other)| {
                        *one ^= value;
                        *other ^= value;
                    }),
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
