//! Everything this Discord knows: plain data behind one lock, changed only by the functions of this crate.

mod application;
mod channel;
mod event;
mod guild;
mod interaction;
mod message;
mod user;
mod world;

pub use application::{Application, Command, StartLimit};
pub use channel::{Channel, Overwrite, OverwriteKind, Thread, ThreadMember, kind};
pub use event::{Audience, Event};
pub(crate) use guild::timestamp;
pub use guild::{Guild, Member, Role};
pub use interaction::{Acknowledgement, Interaction, InteractionOrigin};
pub use message::{Attachment, Message, flags};
pub use user::{Principal, User};
pub use world::{State, Webhook};
