//! IDENTIFYs of all processes, one after another.
//!
//! Discord lets one shard per bucket (`shard % max_concurrency`) identify every 5 s, and a bot about 1,000 times a day;
//! whoever goes on beyond that loses all sessions and its token. So every IDENTIFY needs a slot, which Redis gives
//! (`slots`), and must be within Discord's own count of what is left (`allowance`). A `Line` joins the two for one bot,
//! and a `Gate` stands before one shard: it lets the IDENTIFY pass while the slot holds, and not a moment later.
//! A RESUME passes by all of this.

mod allowance;
mod gate;
mod line;
mod settings;
mod slots;

pub use allowance::{Allowance, Left};
pub use gate::{Gate, Passed};
pub use line::{Bot, Line, Permit};
pub use settings::Settings;
pub use slots::{Asked, Claim, Slots};
