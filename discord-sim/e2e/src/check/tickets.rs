//! The ledger against Postgres.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use discord_sim::ledger::Dispatch;
use model::{CapturedMessage, TicketEvent, TicketState};
use serde::{Deserialize, de::DeserializeOwned};
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, MessageMarker},
};

use super::{Evidence, Filed, Rule, Violation};

#[derive(Deserialize)]
struct Said {
    id: Id<MessageMarker>,
    channel_id: Id<ChannelMarker>,
    content: Option<String>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    edited_timestamp: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
struct Removed {
    id: Option<Id<MessageMarker>>,
    #[serde(default)]
    ids: Vec<Id<MessageMarker>>,
    channel_id: Id<ChannelMarker>,
}

/// A message as the events tell it.
#[derive(Debug, Default)]
struct Told {
    content: Option<String>,
    edited_at: Option<OffsetDateTime>,
    deleted: bool,
}

type Channels = HashMap<Id<ChannelMarker>, BTreeMap<Id<MessageMarker>, Told>>;

/// What every message of a ticket's channel became, by the dispatches that are in the topic, is in the ticket's record.
pub(super) fn recorded(evidence: &Evidence, kept: &[bool], found: &mut Vec<Violation>) {
    let channels = evidence.tickets.iter().filter_map(|filed| filed.ticket.channel);
    let dispatches = evidence.dispatches.iter().zip(kept).filter(|(_, kept)| **kept).map(|(dispatch, _)| dispatch);
    let told = fold(dispatches, channels.map(|channel| (channel, BTreeMap::new())).collect(), found);
    for filed in &evidence.tickets {
        let Some(messages) = filed.ticket.channel.and_then(|channel| told.get(&channel)) else { continue };
        let stored: HashMap<_, _> = filed.messages.iter().map(|message| (message.id, message)).collect();
        for (id, told) in messages {
            if let Some(text) = difference(told, stored.get(id).copied()) {
                let text = format!("message {id} of ticket {} {text}", filed.ticket.key);
                found.push(Violation::new(Rule::Recorded, text));
            }
        }
    }
}

fn difference(told: &Told, stored: Option<&CapturedMessage>) -> Option<&'static str> {
    let Some(stored) = stored else { return Some("is missing") };
    if told.content.as_ref().is_some_and(|content| *content != stored.content) {
        Some("does not have its last text")
    } else if told.edited_at != stored.edited_at {
        Some("does not have the time of its last edit")
    } else if told.deleted != stored.deleted_at.is_some() {
        Some(if told.deleted { "is not marked as deleted" } else { "is marked as deleted and is not" })
    } else {
        None
    }
}

fn fold<'a>(
    dispatches: impl Iterator<Item = &'a Dispatch>,
    mut channels: Channels,
    found: &mut Vec<Violation>,
) -> Channels {
    for dispatch in dispatches {
        let read = match dispatch.kind.as_str() {
            "MESSAGE_CREATE" | "MESSAGE_UPDATE" => decode(dispatch).map(|said: Said| {
                let Some(messages) = channels.get_mut(&said.channel_id) else { return };
                // An update of what was written before the bot could see it makes no message.
                let told = match dispatch.kind.as_str() {
                    "MESSAGE_CREATE" => Some(messages.entry(said.id).or_default()),
                    _ => messages.get_mut(&said.id),
                };
                if let Some(told) = told {
                    told.content = said.content.or(told.content.take());
                    told.edited_at = said.edited_timestamp.or(told.edited_at);
                }
            }),
            "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK" => decode(dispatch).map(|removed: Removed| {
                let Some(messages) = channels.get_mut(&removed.channel_id) else { return };
                for id in removed.ids.iter().chain(&removed.id) {
                    if let Some(told) = messages.get_mut(id) {
                        told.deleted = true;
                    }
                }
            }),
            _ => Ok(()),
        };
        if let Err(error) = read {
            let text = format!("{} of {} is not read: {error}", dispatch.sequence, dispatch.session_id);
            found.push(Violation::new(Rule::Clean, text));
        }
    }
    channels
}

fn decode<T: DeserializeOwned>(dispatch: &Dispatch) -> Result<T, serde_json::Error> {
    #[derive(Deserialize)]
    struct Frame<T> {
        d: T,
    }
    serde_json::from_str::<Frame<T>>(&dispatch.frame).map(|frame| frame.d)
}

/// Each live ticket has its channel in Discord, each of the bot's channels one live ticket.
pub(super) fn paired(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut owners: BTreeMap<Id<ChannelMarker>, Vec<&Filed>> = BTreeMap::new();
    let standing: BTreeSet<_> = evidence.channels.iter().map(|(_, channel)| *channel).collect();
    for filed in &evidence.tickets {
        let ticket = &filed.ticket;
        match (ticket.state, ticket.channel) {
            (TicketState::Open | TicketState::Closing, Some(channel)) => {
                owners.entry(channel).or_default().push(filed);
                if !standing.contains(&channel) {
                    found.push(Violation::new(Rule::Paired, format!("the channel of ticket {} is gone", ticket.key)));
                }
            }
            (TicketState::Opening | TicketState::Open | TicketState::Closing, _) => {
                found.push(Violation::new(Rule::Paired, format!("ticket {} is {} still", ticket.key, ticket.state)));
            }
            (TicketState::Closed | TicketState::Abandoned, _) => {}
        }
    }
    for (guild, channel) in &evidence.channels {
        let tickets = owners.get(channel).map_or(0, Vec::len);
        if tickets != 1 {
            let text = format!("channel {channel} of guild {guild} has {tickets} live tickets");
            found.push(Violation::new(Rule::Paired, text));
        }
    }
}

/// One ticket for a click; changes of a ticket are numbered without a gap, and none that can be but once is there twice.
pub(super) fn once(evidence: &Evidence, found: &mut Vec<Violation>) {
    let mut opened = BTreeSet::new();
    for Filed { ticket, events, .. } in &evidence.tickets {
        let mut broken = |text: String| found.push(Violation::new(Rule::Once, format!("ticket {} {text}", ticket.key)));
        let clicks = events.iter().filter_map(|event| match event.event {
            TicketEvent::Opened { interaction, .. } => Some(interaction),
            _ => None,
        });
        for click in clicks {
            if !opened.insert(click) {
                broken(format!("was opened by the click {click}, which opened one already"));
            }
            if !evidence.interactions.contains(&click) {
                broken(format!("was opened by the click {click}, which nobody made"));
            }
        }
        if !events.iter().map(|event| event.version).eq(1..=ticket.version) {
            broken(format!("has version {} and other changes than that many", ticket.version));
        }
        let mut kinds = BTreeSet::new();
        for event in events {
            // A ticket is claimed again after another, and closing has several steps.
            let name = match &event.event {
                TicketEvent::Claimed { by } => format!("claimed by {by}"),
                TicketEvent::CloseStepDone { step } => format!("step {step}"),
                other => other.kind().to_owned(),
            };
            if !kinds.insert(name.clone()) {
                broken(format!("has twice: {name}"));
            }
        }
    }
}
