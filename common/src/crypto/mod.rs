//! Secrets at rest.

mod keys;
mod vault;

pub use keys::MalformedKeys;
pub use vault::{CannotOpen, Vault};
