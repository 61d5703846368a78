//! The rules for bodies that Discord enforces and its published description leaves out.
//!
//! Every function reads a body as JSON and answers with the error that Discord would send. The description ([`openapi`](crate::openapi))
//! judges shapes; these rules judge what belongs together: an empty message, components that need a flag, totals over several fields,
//! names that must differ. Lengths that the description has too are repeated here, because the simulator must refuse such a body and
//! not only report it.
//!
//! Limits are from Discord's documentation. Discord documents the form of an error but not the codes inside it; those here are the ones
//! that bots report. Where none is known the code says what is wrong in the same style.

mod channel;
mod commands;
mod components;
mod embeds;
mod form;
mod layout;
mod message;
mod modal;

pub use channel::{channel, channel_edit};
pub use commands::{choices, command, commands};
pub use form::FormError;
pub use message::{message, message_edit};
pub use modal::modal;
