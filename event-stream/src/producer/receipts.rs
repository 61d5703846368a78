//! The results of many records in one place, for a sender that looks for them when it suits it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::oneshot;

use super::handle::Acked;
use crate::error::Error;

/// Where a sender of many records finds their results; clones share it.
///
/// Cheaper than a [`Delivery`](super::Delivery) for each record: nothing is made for a record but its place in the list,
/// and nobody is woken.
#[derive(Clone, Debug, Default)]
pub struct Receipts(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    // Looking costs no lock.
    any: AtomicBool,
    list: Mutex<Vec<Receipt>>,
}

/// The result of one record.
#[derive(Debug)]
pub struct Receipt {
    /// The number that the sender gave the record.
    pub number: u64,
    /// Why Kafka does not have the record; `None` where every replica in sync has it.
    pub failure: Option<Box<Error>>,
}

impl Receipts {
    /// Takes what has come since the last call, in the order of its coming: within a partition that of sending, save for
    /// what fails when a producer dies.
    ///
    /// It comes in `list`, whose room is used for what comes next.
    pub fn take(&self, list: &mut Vec<Receipt>) {
        list.clear();
        if self.0.any.swap(false, Ordering::Acquire) {
            std::mem::swap(list, &mut *self.0.list.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn add(&self, receipt: Receipt) {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner).push(receipt);
        self.0.any.store(true, Ordering::Release);
    }
}

/// Who is to hear of a record's result.
pub(crate) enum Waiting {
    One(oneshot::Sender<Result<Acked, Error>>),
    Listed { receipts: Receipts, number: u64 },
}

impl Waiting {
    pub(super) fn tell(self, result: Result<Acked, Error>) {
        match self {
            // Nobody waits any more: the counters have it.
            Waiting::One(one) => drop(one.send(result)),
            Waiting::Listed { receipts, number } => {
                receipts.add(Receipt { number, failure: result.err().map(Box::new) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_result_is_taken_once_and_in_its_order() {
        let (receipts, mut list) = (Receipts::default(), Vec::new());
        receipts.take(&mut list);
        assert!(list.is_empty());
        let tell = |number, result| Waiting::Listed { receipts: receipts.clone(), number }.tell(result);
        tell(7, Ok(Acked { partition: 0, offset: 1 }));
        tell(8, Err(Error::QueueFull));
        receipts.take(&mut list);
        let taken: Vec<_> = list.iter().map(|receipt| (receipt.number, receipt.failure.is_none())).collect();
        assert_eq!(taken, [(7, true), (8, false)]);
        receipts.take(&mut list);
        assert!(list.is_empty());
        tell(9, Err(Error::Ended));
        receipts.take(&mut list);
        assert_eq!(list.len(), 1);
    }
}
