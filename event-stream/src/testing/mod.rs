//! For tests: topics of their own, what a topic holds, and records that no writer of ours would write.

mod events;
mod groups;
mod losses;
mod poison;
mod raw;
mod topics;
mod wire;

pub use events::{change, event};
pub use groups::behind;
pub use losses::{delete_records, delete_topic};
pub use poison::{Expected, Poison, poison};
pub use raw::{Raw, send_raw};
pub use topics::{config, dead_letters_of, make_with_limit, producer, read_all, read_raw, try_read_raw};
