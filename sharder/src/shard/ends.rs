//! How connections and sessions end, and what comes after them.

use std::time::Duration;

use anyhow::bail;
use common::backoff;
use tokio::time::Instant;
use twilight_gateway::{
    CloseFrame, ConfigBuilder, Session, Shard, ShardId, ShardState,
    error::{ReceiveMessageError, ReceiveMessageErrorType},
};
use twilight_model::gateway::CloseCode;

use super::{cx::Cx, forwarder::Forwarder};
use crate::{
    gateway::{self, FatalClose},
    identify::Gate,
    presence::Shown,
};

/// How long Discord may take to say HELLO, which it does at once.
const HELLO: Duration = Duration::from_secs(10);
/// How long Discord may take to answer a close frame of ours and to be connected again.
const FAREWELL: Duration = Duration::from_secs(5);
/// Failed attempts after which twilight's own wait, which grows to minutes, starts anew.
const ATTEMPTS: u8 = 6;

/// How long a shard waits after opcode 9 before it connects again: a random time in between (Discord's documentation,
/// "Resuming").
const REFUSED: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
/// A connection that is lost this soon after a stall is lost by it.
const AFTER_STALL: Duration = Duration::from_secs(60);

impl Forwarder {
    /// Leaves a connection on which Discord says nothing: there are no heartbeats yet by which twilight would notice.
    pub(super) fn look_for_hello(&mut self) {
        self.report_state();
        // twilight has a rate limiter from HELLO to the end of the connection.
        if self.shard.state() != ShardState::Identifying || self.shard.ratelimiter().is_some() {
            self.mute_since = None;
        } else if self.mute_since.get_or_insert_with(Instant::now).elapsed() >= HELLO {
            tracing::warn!(shard = self.number, "no HELLO came for shard {}, it connects anew", self.number);
            self.rebuild();
        }
    }

    /// Leaves a connection that twilight closed and whose other side does not answer. twilight would wait for as long as
    /// the operating system keeps the connection, which may be for ever.
    pub(super) fn look_for_the_end(&mut self) {
        if self.leaving.is_some_and(|since| since.elapsed() >= FAREWELL) {
            tracing::warn!(
                shard = self.number,
                "no answer came to the close of shard {}, it connects anew",
                self.number
            );
            self.leave();
        }
    }

    /// Connects anew, at the gateway's own address, to go on with the session if there is one.
    pub(super) fn rebuild(&mut self) {
        let session = self.shard.session().cloned().map(|session| (session, String::new()));
        self.replace(session);
        self.wait_before_connecting();
    }

    /// Connects anew to go on with the session where Discord wants that.
    pub(super) fn leave(&mut self) {
        let resume_url = self.shard.resume_url().unwrap_or_default().to_owned();
        let session = self.shard.session().cloned().map(|session| (session, resume_url));
        self.replace(session);
    }

    /// Drops the connection, without a close frame: the session, if there is one, stays resumable.
    pub(super) fn replace(&mut self, session: Option<(Session, String)>) {
        self.shard = build(&self.cx, &self.gate, &mut self.presence, self.number, session);
        self.mute_since = None;
        self.greeted = false;
        self.leaving = None;
    }

    /// Opcode 9. twilight has acted on it: without a session left, it was `d: false`.
    pub(super) fn session_refused(&mut self) {
        // twilight would connect again at once.
        let [least, most] = REFUSED;
        let wait = least + (most - least).mul_f64(rand::random());
        if self.shard.session().is_some() {
            tracing::info!(shard = self.number, "Discord wants shard {} to resume in a moment", self.number);
        } else if self.outbox.session().is_some() {
            self.lose_session(if self.state == "connected" { "ended" } else { "refused" });
        } else {
            self.cx.metrics.identifies_refused.inc();
            tracing::error!(
                shard = self.number,
                "Discord refused the IDENTIFY of shard {}: does a program of its own use the same token?",
                self.number
            );
        }
        self.leave();
        self.pause = Some(Instant::now() + wait);
    }

    /// There is nothing to resume: what Discord dispatches until the next session is ready is not sent again.
    pub(super) fn lose_session(&mut self, reason: &'static str) {
        let reason = self.danger.take().unwrap_or(reason);
        self.cx.metrics.lost.with_label_values(&[reason]).inc();
        tracing::warn!(
            shard = self.number,
            reason,
            sequence = self.last_sequence,
            "the session of shard {} is lost ({reason}), it identifies; READY and the GUILD_CREATEs after it say how \
             things stand",
            self.number
        );
        self.outbox.end_session();
        self.last_sequence = None;
        self.publish_position();
    }

    pub(super) fn closed(&mut self, frame: Option<&CloseFrame<'static>>) -> anyhow::Result<()> {
        let code = frame.map(|frame| frame.code);
        let reason = frame.map(|frame| frame.reason.as_ref()).unwrap_or_default();
        self.greeted = false;
        self.leaving = None;
        self.disconnected(code, reason);
        if let Some(code) = code
            && let Some(cause) = gateway::fatal_close(code, self.cx.config.intents())
        {
            bail!(FatalClose { shard: self.number, code, reason: reason.to_owned(), cause });
        }
        if code == Some(CloseCode::InvalidSequence as u16) {
            // Discord wants a new session; twilight would RESUME with the same sequence again.
            self.lose_session("sequence");
            self.replace(None);
        }
        self.wait_before_connecting();
        Ok(())
    }

    pub(super) fn disconnected(&mut self, code: Option<u16>, reason: &str) {
        let label = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        self.cx.metrics.disconnects.with_label_values(&[&label]).inc();
        tracing::info!(shard = self.number, reason, "the connection of shard {} closed with code {label}", self.number);
        self.note_danger(code);
    }

    /// Remembers what might have cost the session.
    pub(super) fn note_danger(&mut self, code: Option<u16>) {
        let after_stall = self.stalled_until.is_some_and(|until| until.elapsed() < AFTER_STALL);
        if self.stalled || after_stall {
            self.danger = Some("kafka");
        } else if code == Some(CloseCode::SessionTimedOut as u16) {
            self.danger = Some("timed_out");
        }
    }

    pub(super) fn failed(&mut self, error: ReceiveMessageError) {
        match error.kind() {
            // twilight could not make sense of the frame; we need not.
            ReceiveMessageErrorType::Deserializing { event } => self.frame(event.clone()),
            ReceiveMessageErrorType::Reconnect => {
                let error = anyhow::Error::from(error);
                tracing::warn!(shard = self.number, "shard {} cannot connect: {error:#}", self.number);
                if let ShardState::Disconnected { reconnect_attempts: ATTEMPTS.. } = self.shard.state() {
                    self.rebuild();
                }
            }
            _ => {
                let error = anyhow::Error::from(error);
                tracing::warn!(shard = self.number, "the connection of shard {} failed: {error:#}", self.number);
                self.leaving = Some(Instant::now());
                self.note_danger(None);
                self.wait_before_connecting();
            }
        }
    }

    /// The first reconnect is immediate; further ones wait, until a session is ready.
    pub(super) fn wait_before_connecting(&mut self) {
        match &mut self.waits {
            None => self.waits = Some(Box::new(backoff::exponential(Duration::from_secs(1), Duration::from_secs(30)))),
            Some(waits) => self.pause = waits.next().map(|wait| Instant::now() + wait),
        }
    }
}

/// A shard that has yet to connect. An empty address to resume at means the gateway's own.
pub(super) fn build(
    cx: &Cx,
    gate: &Gate,
    presence: &mut Shown,
    number: u32,
    session: Option<(Session, String)>,
) -> Shard<Gate> {
    let mut config = ConfigBuilder::from(cx.config.clone()).queue(gate.clone());
    if let Some(presence) = presence.for_identify() {
        config = config.presence(presence);
    }
    if let Some((session, resume_url)) = session {
        config = config.session(session);
        if !resume_url.is_empty() {
            config = config.resume_url(resume_url.trim_end_matches('/').to_owned());
        }
    }
    Shard::with_config(ShardId::new(number, cx.total), config.build())
}
