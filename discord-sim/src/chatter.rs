//! Messages in great number: dispatched as any other, but neither checked nor stored.

use std::sync::Arc;

use serde_json::json;
use time::macros::datetime;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker, MessageMarker, UserMarker},
};

use crate::{
    gateway::{Prepared, without_content},
    rest::{Body, Draft},
    state::{Audience, Principal, State, timestamp},
};

/// What stands in a prepared message for what each one has of its own.
const ID: Id<MessageMarker> = Id::new(1_000_000_000_000_000_001);
const TEXT: &str = "@the text@";
const SENT: time::OffsetDateTime = datetime!(2015-01-02 03:04:05 UTC);

/// One author who writes in many channels in turn.
#[derive(Clone, Debug)]
pub struct Chatter {
    author: Id<UserMarker>,
    voices: Vec<Voice>,
    said: u64,
}

#[derive(Clone, Debug)]
struct Voice {
    channel: Id<ChannelMarker>,
    guild: Option<Id<GuildMarker>>,
    whole: Template,
    /// As a bot without MESSAGE_CONTENT sees it.
    bare: Template,
}

impl Chatter {
    /// Prepares an author's messages in these channels. Those that do not exist are left out.
    pub fn new(state: &mut State, channels: &[Id<ChannelMarker>], author: Id<UserMarker>) -> Self {
        let voices = channels.iter().filter_map(|channel| Voice::new(state, *channel, author)).collect();
        Self { author, voices, said: 0 }
    }

    /// Writes this many messages, whose texts are `message 0`, `message 1` and so on.
    pub fn say(&mut self, state: &mut State, messages: usize) {
        if self.voices.is_empty() {
            return;
        }
        let count = u64::try_from(self.voices.len()).unwrap_or(1);
        let sent = timestamp(state.now());
        for _ in 0..messages {
            let voice = &self.voices[usize::try_from(self.said % count).unwrap_or(0)];
            let id = state.new_id::<MessageMarker>().to_string();
            let text = format!("message {}", self.said);
            let own = [id.as_str(), text.as_str(), sent.as_str()];
            let event = Prepared {
                kind: "MESSAGE_CREATE",
                audience: Audience::Channel(voice.channel),
                guild: voice.guild,
                author: self.author,
                whole: &|| voice.whole.fill(own),
                bare: &|| voice.bare.fill(own),
            };
            state.emit_prepared(&event);
            self.said += 1;
        }
    }

    /// How many messages were written.
    pub fn said(&self) -> u64 {
        self.said
    }
}

impl Voice {
    fn new(state: &mut State, channel: Id<ChannelMarker>, author: Id<UserMarker>) -> Option<Self> {
        let body = Body { json: json!({ "content": TEXT }), files: Vec::new() };
        let mut message = Draft::new(state, channel, author, &body).ok()?.message;
        message.id = ID;
        message.created_at = SENT;
        let whole = state.message_event_json(&message);
        // Somebody who is neither the author nor mentioned.
        let bare = without_content(&whole, Principal::Bot(Id::new(1)));
        Some(Self {
            channel,
            guild: state.channels.get(&channel)?.guild_id,
            bare: Template::new(&bare.as_ref().unwrap_or(&whole).to_string()),
            whole: Template::new(&whole.to_string()),
        })
    }
}

/// A text with gaps.
#[derive(Clone, Debug)]
struct Template {
    /// What stands before each gap, and what the gap is for.
    parts: Vec<(String, usize)>,
    end: String,
}

impl Template {
    fn new(text: &str) -> Self {
        let marks = [ID.to_string(), TEXT.to_owned(), timestamp(SENT)];
        let (mut parts, mut rest) = (Vec::new(), text);
        loop {
            let found = marks.iter().enumerate().filter_map(|(index, mark)| Some((rest.find(mark.as_str())?, index)));
            let Some((at, index)) = found.min() else { break };
            parts.push((rest[..at].to_owned(), index));
            rest = &rest[at + marks[index].len()..];
        }
        Self { parts, end: rest.to_owned() }
    }

    fn fill(&self, values: [&str; 3]) -> Arc<str> {
        let mut text = String::with_capacity(1024);
        for (before, index) in &self.parts {
            text.push_str(before);
            text.push_str(values[*index]);
        }
        text.push_str(&self.end);
        text.into()
    }
}
