//! Whether a run kept what must hold: the simulator's ledger against Kafka and Postgres.

mod cached;
mod evidence;
mod ledger;
mod stream;
mod tickets;
mod violation;

pub use cached::cache_differences;
pub use evidence::{Evidence, Filed};
pub use ledger::{dead_letters, missing_events};
pub use violation::{Rule, Violation};
