//! Vectors of what iterators give, by one loop for each type of element.
//!
//! `collect` is up to three functions for each iterator; all of them were six kilobytes of package.

/// What every iterator can do here.
pub(crate) trait IntoVec: Iterator + Sized {
    /// All that it gives.
    fn into_vec(mut self) -> Vec<Self::Item> {
        fill(&mut || self.next())
    }
}

impl<I: Iterator> IntoVec for I {}

fn fill<T>(next: &mut dyn FnMut() -> Option<T>) -> Vec<T> {
    let mut all = Vec::new();
    while let Some(value) = next() {
        all.push(value);
    }
    all
}

/// Takes the first of a few elements. The others move, which costs less than the code of a queue.
pub(crate) fn take_first<T>(list: &mut Vec<T>) -> Option<T> {
    (!list.is_empty()).then(|| list.remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_elements_are_there_in_their_order() {
        let odd = (0..100).filter(|number| number % 2 == 1);
        assert_eq!(odd.clone().into_vec(), odd.collect::<Vec<_>>());
        assert!(core::iter::empty::<u8>().into_vec().is_empty());
    }

    #[test]
    fn first_come_is_first_taken() {
        let mut list = vec![1, 2];
        assert_eq!(
            [take_first(&mut list), take_first(&mut list), take_first(&mut list)],
            [Some(1), Some(2), None]
        );
    }
}
