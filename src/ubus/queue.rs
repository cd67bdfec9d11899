//! A queue of bytes that keeps no memory when it is empty.

/// Bytes in, at the back, and out, at the front, in one piece.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    /// How many bytes at the front are gone.
    taken: usize,
}

impl Queue {
    /// Adds bytes at the back.
    pub fn push(&mut self, bytes: &[u8]) {
        self.settle();
        self.bytes.extend_from_slice(bytes);
    }

    /// What is in it.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    /// How much is in it.
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.taken)
    }

    /// Takes `count` bytes, or all if there are fewer, and lends them.
    pub fn take(&mut self, count: usize) -> &[u8] {
        let start = self.taken;
        self.taken = start.saturating_add(count).min(self.bytes.len());
        self.bytes.get(start..self.taken).unwrap_or_default()
    }

    /// Frees what was taken, unless moving the rest would cost more than that.
    pub fn settle(&mut self) {
        if self.taken == self.bytes.len() {
            self.taken = 0;
            self.bytes.clear();
            if self.bytes.capacity() > IDLE_CAPACITY {
                self.bytes = Vec::new();
            }
        } else if self.taken > self.bytes.len() / 2 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
    }

    /// How much memory it holds.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Queue::default();
    }
}

/// The most memory that an empty queue holds on to, in bytes.
const IDLE_CAPACITY: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut queue = Queue::default();
        let (mut wrote, mut read) = (0u32, 0u32);
        for round in 0..1000u32 {
            for _ in 0..round % 7 {
                queue.push(&wrote.to_be_bytes());
                wrote += 1;
            }
            for _ in 0..(round % 5).min(wrote - read) {
                assert_eq!(queue.take(4), read.to_be_bytes());
                read += 1;
            }
            assert_eq!(queue.len(), 4 * (wrote - read) as usize);
            assert_eq!(queue.as_slice().len(), queue.len());
        }
        assert!(read > 1000);
    }

    #[test]
    fn what_is_taken_is_freed_while_more_comes() {
        let mut queue = Queue::default();
        queue.push(&[0; 100]);
        for _ in 0..100_000 {
            queue.push(&[0; 100]);
            queue.take(100);
        }
        assert!(queue.capacity() < 1000, "{}", queue.capacity());
    }

    #[test]
    fn more_than_there_is_cannot_be_taken() {
        let mut queue = Queue::default();
        queue.push(b"abc");
        assert_eq!(queue.take(10), b"abc");
        assert_eq!(queue.take(10), b"");
    }
}
