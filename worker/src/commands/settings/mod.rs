//! Commands on a guild's settings.

pub mod setup;
