//! Commands on tickets.

pub mod claim;
pub mod close;
pub mod open;
