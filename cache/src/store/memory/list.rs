//! A list in the order of ids, no larger than it must be.

use std::ops::Deref;

/// What has an id.
pub(super) trait Keyed {
    fn key(&self) -> u64;
}

/// Entities in the order of their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct List<T>(Vec<T>);

/// So much room a list may have to spare, in parts of it: one in eight.
const SPARE: usize = 8;

impl<T: Keyed> List<T> {
    /// From entities that are in their order already, or not.
    pub(super) fn of(mut entities: Vec<T>) -> Self {
        if !entities.is_sorted_by_key(Keyed::key) {
            entities.sort_by_key(Keyed::key);
        }
        entities.dedup_by_key(|entity| entity.key());
        entities.shrink_to_fit();
        Self(entities)
    }

    pub(super) fn get(&self, key: u64) -> Option<&T> {
        self.0.binary_search_by_key(&key, Keyed::key).ok().map(|index| &self.0[index])
    }

    pub(super) fn put(&mut self, entity: T) {
        match self.0.binary_search_by_key(&entity.key(), Keyed::key) {
            Ok(index) => self.0[index] = entity,
            Err(index) => {
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact(1 + self.0.len() / SPARE);
                }
                self.0.insert(index, entity);
            }
        }
    }

    pub(super) fn remove(&mut self, key: u64) {
        if let Ok(index) = self.0.binary_search_by_key(&key, Keyed::key) {
            self.0.remove(index);
        }
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.0.retain(keep);
        if self.0.capacity() - self.0.len() > 1 + self.0.len() / SPARE {
            self.0.shrink_to_fit();
        }
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Keyed for u64 {
        fn key(&self) -> u64 {
            *self
        }
    }

    #[test]
    fn it_stays_in_order_and_small() {
        let mut list = List::of(vec![5, 3, 9, 3]);
        assert_eq!(&*list, [3, 5, 9]);
        list.put(4);
        list.put(4);
        assert_eq!(&*list, [3, 4, 5, 9]);
        assert_eq!((list.get(4), list.get(6)), (Some(&4), None));
        list.remove(3);
        list.remove(6);
        assert_eq!(&*list, [4, 5, 9]);
        for number in 0..1_000 {
            list.put(number);
        }
        assert!(list.0.capacity() <= list.len() + list.len() / SPARE + 2, "{}", list.0.capacity());
        list.retain(|number| number % 100 == 0);
        assert!(list.0.capacity() <= 12);
    }
}
