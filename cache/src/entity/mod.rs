//! What the cache holds: Discord's objects with the fields that somebody asks for.
//!
//! Each type reads Discord's JSON and writes it again, less the fields that are not kept, and has the compact form of
//! `wire`. A field that Discord leaves out, or sends in a form that nobody knows, has its default: no event
//! is lost for it. The shapes are Discord's (docs, "Guild Object", "Channel Object", "Role Object", "Emoji Object", "User Object",
//! "Guild Member Object").

mod channel;
mod emoji;
mod guild;
mod member;
mod role;
mod text;
mod user;

pub use self::{
    channel::{Channel, ForumTag, Overwrite, ThreadMetadata},
    emoji::Emoji,
    guild::{Guild, Whole},
    member::Member,
    role::{Role, RoleTags},
    text::Text,
    user::User,
};
pub(crate) use self::{guild::in_order, text::Interner};
