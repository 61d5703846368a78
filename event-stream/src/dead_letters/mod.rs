//! Records that could not be handled: kept whole with where they came from and why, looked at, and replayed.

mod letter;

mod id;
mod look;
mod replay;
mod replayed;

pub(crate) use letter::{Death, Extent, bury, mark_refused, topic};

pub use id::{InvalidId, LetterId};
pub use letter::{Class, DeadLetter, UnknownClass};
pub use look::{Buried, Selection, dead_letters_of, visit_dead_letters};
pub use replay::{Replaying, Spared, Told, replay};
