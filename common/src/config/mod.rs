//! Configuration from environment variables: every problem in one message, and the documentation from the same code.

pub mod docs;
mod env;
mod error;
mod value;
mod var;

pub use docs::Described;
pub use env::{Env, FromEnv, read};
pub use error::{ConfigError, Invalid, Problem};
pub use value::Value;
pub use var::Var;
