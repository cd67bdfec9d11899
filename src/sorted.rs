//! Maps and sets for the few entries that a router has: vectors, kept in order.
//!
//! A `BTreeMap` is code for each pair of types it is used with; all of them together were a tenth of the
//! program. Here a look-up is a binary search, and an insertion moves what comes after. Iteration is in the order
//! of the keys, as everything that decides must not depend on chance.

use core::borrow::Borrow;
use core::cmp::Ordering;

/// Values by their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map<K, V> {
    entries: Vec<(K, V)>,
}

/// Values, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set<T> {
    values: Vec<T>,
}

impl<K, V> Map<K, V> {
    /// Without entries.
    pub const fn new() -> Map<K, V> {
        Map { entries: Vec::new() }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The entries, by key.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The keys in their order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// The values, by key.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// The values, by key, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// Keeps the entries of which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.entries.retain_mut(|(key, value)| keep(key, value));
    }

    /// Takes the entry with the smallest key.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (!self.entries.is_empty()).then(|| self.entries.remove(0))
    }
}

impl<K: Ord, V> Map<K, V> {
    /// Where the key is, or would be.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        find(self.entries.len(), &mut |at| self.entries[at].0.borrow().cmp(key))
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().and_then(|at| self.entries.get(at)).map(|(_, value)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().and_then(|at| self.entries.get_mut(at)).map(|(_, value)| value)
    }

    /// Whether there is an entry with this key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: K, value: V) {
        match self.find(&key) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => self.entries.insert(at, (key, value)),
        }
    }

    /// Takes the entry of a key away.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| self.entries.remove(at).1)
    }

    /// The value of a key, which is made if there is none yet.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = self.find(&key).unwrap_or_else(|at| {
            self.entries.insert(at, (key, V::default()));
            at
        });
        &mut self.entries[at].1
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Map<K, V> {
        Map::new()
    }
}

/// Of two values for one key the later one counts.
impl<K: Ord, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Map<K, V> {
        let mut map = Map::new();
        for (key, value) in pairs {
            map.insert(key, value);
        }
        map
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<T> Set<T> {
    /// Without values.
    pub const fn new() -> Set<T> {
        Set { values: Vec::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.values.clear();
    }

    /// Keeps the values of which `keep` is true.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.values.retain(keep);
    }

    /// The values in their order.
    pub fn iter(&self) -> core::slice::Iter<'_, T> {
        self.values.iter()
    }
}

impl<T: Ord> Set<T> {
    /// Where the value is, or would be.
    fn find(&self, value: &T) -> Result<usize, usize> {
        find(self.values.len(), &mut |at| self.values[at].cmp(value))
    }

    /// Whether it has this value.
    pub fn contains(&self, value: &T) -> bool {
        self.find(value).is_ok()
    }

    /// Adds a value. Whether it is new.
    pub fn insert(&mut self, value: T) -> bool {
        let place = self.find(&value);
        if let Err(at) = place {
            self.values.insert(at, value);
        }
        place.is_err()
    }

    /// Takes a value away. Whether it was there.
    pub fn remove(&mut self, value: &T) -> bool {
        let place = self.find(value);
        if let Ok(at) = place {
            self.values.remove(at);
        }
        place.is_ok()
    }
}

impl<T> Default for Set<T> {
    fn default() -> Set<T> {
        Set::new()
    }
}

impl<T: Ord> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Set<T> {
        let mut set = Set::new();
        for value in values {
            set.insert(value);
        }
        set
    }
}

impl<T> IntoIterator for Set<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.values.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Set<T> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Searches `length` entries that are in order: how each compares to what is searched is asked by its place. Not generic,
/// so that it is in the program once and not for each type.
pub fn find(length: usize, compare: &mut dyn FnMut(usize) -> Ordering) -> Result<usize, usize> {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low.midpoint(high);
        match compare(middle) {
            Ordering::Less => low = middle + 1,
            Ordering::Equal => return Ok(middle),
            Ordering::Greater => high = middle,
        }
    }
    Err(low)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn map_is_what_a_tree_would_be(steps in proptest::collection::vec((0_u8..5, 0_u8..12, any::<u8>()), 0..60)) {
            let (mut map, mut tree) = (Map::new(), BTreeMap::new());
            for (step, key, value) in steps {
                match step {
                    0 => {
                        map.insert(key, value);
                        tree.insert(key, value);
                    }
                    1 => prop_assert_eq!(map.remove(&key), tree.remove(&key)),
                    2 => *map.get_or_default(key) = value.max(*tree.entry(key).and_modify(|it| *it = value.max(*it)).or_insert(value)),
                    3 => prop_assert_eq!(map.pop_first(), tree.pop_first()),
                    _ => {
                        map.retain(|_, it| *it != value);
                        tree.retain(|_, it| *it != value);
                    }
                }
                prop_assert_eq!(map.get(&key), tree.get(&key));
                prop_assert!(map.iter().eq(tree.iter()));
            }
        }

        #[test]
        fn set_is_what_a_tree_would_be(steps in proptest::collection::vec((any::<bool>(), 0_u8..12), 0..60)) {
            let (mut set, mut tree) = (Set::new(), BTreeSet::new());
            for (add, value) in &steps {
                match add {
                    true => prop_assert_eq!(set.insert(*value), tree.insert(*value)),
                    false => prop_assert_eq!(set.remove(value), tree.remove(value)),
                }
                prop_assert!(set.iter().eq(tree.iter()));
            }
            let collected: Set<u8> = steps.iter().map(|(_, value)| *value).collect();
            prop_assert!(collected.iter().eq(steps.iter().map(|(_, value)| *value).collect::<BTreeSet<u8>>().iter()));
        }
    }
}
