//! The few things that are under way at one time, by the number that each has on the wire.

/// Values by their numbers, in the order in which they came.
#[derive(Debug)]
pub(super) struct ById<K, V>(Vec<(K, V)>);

impl<K: Copy + PartialEq, V> ById<K, V> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn contains(&self, id: K) -> bool {
        self.get(id).is_some()
    }

    pub fn get(&self, id: K) -> Option<&V> {
        self.0.iter().find(|(other, _)| *other == id).map(|(_, value)| value)
    }

    pub fn get_mut(&mut self, id: K) -> Option<&mut V> {
        self.0.iter_mut().find(|(other, _)| *other == id).map(|(_, value)| value)
    }

    /// Adds what was not there yet.
    pub fn add(&mut self, id: K, value: V) {
        debug_assert!(!self.contains(id));
        self.0.push((id, value));
    }

    pub fn remove(&mut self, id: K) -> Option<V> {
        let at = self.0.iter().position(|(other, _)| *other == id)?;
        Some(self.0.remove(at).1)
    }

    /// Takes the oldest.
    pub fn pop_first(&mut self) -> Option<V> {
        (!self.0.is_empty()).then(|| self.0.remove(0).1)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.0.iter().map(|(id, value)| (*id, value))
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

impl<K, V> Default for ById<K, V> {
    fn default() -> ById<K, V> {
        ById(Vec::new())
    }
}
