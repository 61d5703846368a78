//! The presence of a bot: what stands under its name.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::{sync::watch, time::Instant};
use twilight_model::gateway::payload::outgoing::update_presence::UpdatePresencePayload;

/// The least time between two presences. Discord takes no more than five in 20 s (not documented, observed).
const EVERY: Duration = Duration::from_secs(5);

/// A presence that fits into a gateway command. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Presence(Arc<(UpdatePresencePayload, String)>);

/// A presence that Discord would close the connection for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a presence of {0} bytes is too long for the gateway, which takes {max}", max = Presence::LONGEST)]
pub struct TooLong(pub usize);

impl Presence {
    /// The longest command, in bytes: Discord takes 4,096, and IDENTIFY carries the presence beside about 300 others.
    pub const LONGEST: usize = 3_500;

    /// The presence as a command.
    ///
    /// # Errors
    ///
    /// When it is too long.
    pub fn new(presence: UpdatePresencePayload) -> Result<Self, TooLong> {
        let command = json!({ "op": 3, "d": presence }).to_string();
        if command.len() > Self::LONGEST {
            Err(TooLong(command.len()))
        } else {
            Ok(Self(Arc::new((presence, command))))
        }
    }

    /// What IDENTIFY is to carry.
    #[must_use]
    pub fn payload(&self) -> &UpdatePresencePayload {
        &self.0.0
    }

    /// The gateway command.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.0.1
    }
}

impl PartialEq for Presence {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.command() == other.command()
    }
}

/// Keeps the presence of one session as it is wished.
pub(crate) struct Shown {
    wished: watch::Receiver<Option<Presence>>,
    /// What the next IDENTIFY carries.
    identifies_with: Option<Presence>,
    /// What the session has; `None` where that is not sure: another process began it, or a command may be lost.
    has: Option<Option<Presence>>,
    /// Whether there ever was a wish. A bot that never had one is left as it is.
    touched: bool,
    next: Option<Instant>,
}

impl Shown {
    pub(crate) fn new(wished: watch::Receiver<Option<Presence>>) -> Self {
        Self { wished, identifies_with: None, has: None, touched: false, next: None }
    }

    /// What a shard that is built now is to identify with.
    pub(crate) fn for_identify(&mut self) -> Option<UpdatePresencePayload> {
        self.identifies_with = self.wished.borrow().clone();
        self.has = None;
        self.identifies_with.as_ref().map(|presence| presence.payload().clone())
    }

    /// A session began with what IDENTIFY carried.
    pub(crate) fn identified(&mut self) {
        self.has = Some(self.identifies_with.clone());
    }

    /// A session goes on. What was sent just before its connection ended may not have arrived.
    pub(crate) fn resumed(&mut self) {
        self.has = None;
    }

    /// The command to send now, if the session has another presence than it should.
    pub(crate) fn due(&mut self, now: Instant) -> Option<String> {
        let wished = self.wished.borrow().clone();
        self.touched |= wished.is_some();
        let right = self.has.as_ref().map_or(!self.touched, |has| *has == wished);
        if right || self.next.is_some_and(|next| now < next) {
            return None;
        }
        let command = wished.as_ref().map_or_else(plain, |presence| presence.command().to_owned());
        self.has = Some(wished);
        self.next = Some(now + EVERY);
        Some(command)
    }
}

/// Online, and nothing else.
fn plain() -> String {
    json!({ "op": 3, "d": { "since": null, "activities": [], "status": "online", "afk": false } }).to_string()
}

#[cfg(test)]
mod tests {
    use twilight_model::gateway::presence::{ActivityType, MinimalActivity, Status};

    use super::*;

    fn playing(name: &str) -> UpdatePresencePayload {
        let activity = MinimalActivity { kind: ActivityType::Playing, name: name.to_owned(), url: None };
        UpdatePresencePayload { activities: vec![activity.into()], afk: false, since: None, status: Status::Idle }
    }

    fn presence(name: &str) -> Presence {
        Presence::new(playing(name)).unwrap()
    }

    /// The name in a command.
    fn name(command: &str) -> serde_json::Value {
        let command: serde_json::Value = serde_json::from_str(command).unwrap();
        assert_eq!(command["op"], 3);
        command["d"]["activities"][0]["name"].clone()
    }

    #[test]
    fn a_presence_that_discord_would_close_for_cannot_be_made() {
        assert_eq!(name(presence("Tickets").command()), "Tickets");
        let TooLong(bytes) = Presence::new(playing(&"x".repeat(4_000))).unwrap_err();
        assert!(bytes > 4_000);
        // Escapes count as what they are sent as.
        assert!(Presence::new(playing(&"\0".repeat(1_000))).is_err());
    }

    #[test]
    fn changes_are_sent_one_by_one_and_the_newest_only() {
        let (wish, wished) = watch::channel(Some(presence("first")));
        let (mut shown, now) = (Shown::new(wished), Instant::now());
        assert_eq!(shown.for_identify(), Some(playing("first")));
        shown.identified();
        assert_eq!(shown.due(now), None, "IDENTIFY carried it");

        wish.send_replace(Some(presence("second")));
        assert_eq!(name(&shown.due(now).unwrap()), "second");
        wish.send_replace(Some(presence("third")));
        wish.send_replace(Some(presence("fourth")));
        assert_eq!(shown.due(now), None, "too soon");
        assert_eq!(name(&shown.due(now + EVERY).unwrap()), "fourth");
        assert_eq!(shown.due(now + EVERY * 2), None);

        wish.send_replace(None);
        assert_eq!(name(&shown.due(now + EVERY * 2).unwrap()), serde_json::Value::Null);
    }

    #[test]
    fn a_session_of_another_process_is_told_only_what_is_wished() {
        let (wish, wished) = watch::channel(None);
        let (mut shown, now) = (Shown::new(wished), Instant::now());
        assert_eq!(shown.due(now), None);
        wish.send_replace(Some(presence("mine")));
        assert_eq!(name(&shown.due(now).unwrap()), "mine");
        // A new session begins with what the shard was built with.
        shown.identified();
        assert_eq!(name(&shown.due(now + EVERY).unwrap()), "mine");

        // What was sent on a connection that was dead already may be lost.
        shown.resumed();
        assert_eq!(name(&shown.due(now + EVERY * 2).unwrap()), "mine");
        assert_eq!(shown.due(now + EVERY * 3), None);
        let now = now + EVERY;

        // A shard that is built anew may have lost what was to be sent, also that nothing is to be shown.
        assert_eq!(shown.for_identify(), Some(playing("mine")));
        assert_eq!(name(&shown.due(now + EVERY * 2).unwrap()), "mine");
        wish.send_replace(None);
        assert!(shown.due(now + EVERY * 3).is_some());
        assert_eq!(shown.for_identify(), None);
        assert_eq!(name(&shown.due(now + EVERY * 4).unwrap()), serde_json::Value::Null);
    }
}
