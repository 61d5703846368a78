#![doc = include_str!("../README.md")]

pub mod custom_id;
mod event;
mod level;
mod message;
mod panel;
pub mod routes;
mod settings;
mod ticket;
pub mod topics;
pub mod trace;
mod whitelabel;

pub use self::{
    custom_id::CustomId,
    event::{RecordedEvent, TicketEvent},
    level::Level,
    message::{Attachment, CapturedMessage, MessageEdit},
    panel::{Panel, PanelId, PanelState},
    settings::{DEFAULT_TICKET_LIMIT, GuildSettings},
    ticket::{CloseStep, Ticket, TicketKey, TicketNumber, TicketState, UnknownName},
    trace::TraceParent,
    whitelabel::{Activity, ActivityKind, NoticeState, Presence, PresenceStatus, Refusal, WhitelabelBot},
};
