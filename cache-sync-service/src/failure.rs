//! What becomes of an event that the database does not take.

use std::borrow::Borrow;

use cache::store::Error;
use event_stream::Failure;

/// The database may be back soon; what it will never take is a dead letter. An error may be shared by all whose events were in one batch.
pub(crate) fn failed<E>(error: E) -> Failure
where
    E: Borrow<Error> + std::error::Error + Send + Sync + 'static,
{
    if error.borrow().is_transient() {
        Failure::wait(error)
    } else if error.borrow().is_for_good() {
        Failure::discard(error)
    } else {
        Failure::retry(error)
    }
}
