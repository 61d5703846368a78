//! One WebSocket connection from HELLO to its close: a reader that carries out the client's commands, and a writer beside it, so that a
//! client that does not read is still heard.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use axum::{
    extract::{
        ConnectInfo, Query, State as Extract, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    response::Response,
};
use futures_util::{StreamExt as _, stream::SplitStream};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    End, Ending, Fault,
    compression::Compression,
    handshake::{self, Outcome},
    line::{Line, Outgoing},
    members,
    wire::Wire,
    writer::Writer,
};
use crate::{
    ledger::Close,
    sim::Sim,
    snowflake::ids_as_text,
    state::{Principal, State},
};

/// Commands in [`WINDOW`]; more close the connection with 4008.
const COMMANDS: usize = 120;
const WINDOW: Duration = Duration::from_secs(60);
/// Larger payloads close the connection with 4002.
const MAX_PAYLOAD: usize = 4096;
/// How long a closed connection waits for the peer's goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// The query of the gateway's address.
#[derive(Debug, Deserialize)]
pub(crate) struct Params {
    v: Option<u8>,
    encoding: Option<String>,
    compress: Option<String>,
}

/// Takes a connection.
pub(crate) async fn upgrade(
    Extract(sim): Extract<Sim>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    Query(params): Query<Params>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(move |socket| async move {
        let Ok(compression) = Compression::new(params.compress.as_deref()) else { return };
        let refused = match (params.v, params.encoding.as_deref()) {
            (Some(10 | 9), Some("json") | None) | (None, _) => None,
            (Some(10 | 9), Some(_)) => Some(4002),
            _ => Some(4012),
        };
        serve(sim, wire, socket, compression, refused).await;
    })
}

async fn serve(sim: Sim, wire: Wire, socket: WebSocket, compression: Compression, refused: Option<u16>) {
    let (sink, stream) = socket.split();
    let (line, inbox) = Line::new(wire);
    let mut writer = Writer::new(sim.clone(), sink, compression, line.clone(), inbox);
    let mut reader =
        Reader { sim: sim.clone(), stream, line: line.clone(), commands: VecDeque::new(), heard: Instant::now() };
    if let Some(code) = refused {
        line.send(Outgoing::Close(Some(code)));
    }
    let stopped = sim.stopped();
    let ended_by_bot = tokio::select! {
        code = reader.run() => Some(code),
        () = writer.run(refused.is_none()) => None,
        () = stopped.cancelled() => None,
    };
    if ended_by_bot.is_some_and(|code| code.is_some()) {
        tokio::select! {
            () = unanswered(&sim, &line) => {}
            () = stopped.cancelled() => {}
        }
    }
    let code = ended_by_bot.unwrap_or(writer.closed_with);
    sim.write(|state| over(state, &line, ended_by_bot.is_some(), code));
    if line.abort.is_cancelled() || stopped.is_cancelled() {
        return;
    }
    // What the peer had sent must be read: a socket that is dropped before is reset, and the reset overtakes the close frame. And the
    // answer to its close frame goes out by the next read.
    if writer.closed_with.is_some() || ended_by_bot.is_some_and(|code| code.is_some()) {
        let goodbye = tokio::time::timeout(GOODBYE, reader.goodbye()).await;
        // Who answers a close frame has read what came before it.
        if matches!(goodbye, Ok(true)) && writer.closed_with.is_some() {
            sim.write(|state| writer.confirm_written(state));
        }
    }
}

/// Lets the peer's close frame be, as long as a fault wants it.
async fn unanswered(sim: &Sim, line: &Line) {
    let holds = |state: &State| {
        let session = line.session().and_then(|id| state.sessions.by_id.get(&id));
        let fault = |fault: &Fault| matches!(fault, Fault::CloseUnanswered).then_some(());
        session.is_some_and(|session| state.sessions.faults.holds(session, fault).is_some())
    };
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    while sim.read(holds) {
        looks.tick().await;
    }
}

/// A connection has ended: its session waits for a RESUME, or is over when its bot wished so.
fn over(state: &mut State, line: &Line, by_bot: bool, code: Option<u16>) {
    let Some(id) = line.session() else { return };
    let session = state.sessions.by_id.get_mut(&id).filter(|session| session.is_on(line));
    if let Some(session) = session {
        session.lose();
        if by_bot && let Some(code @ (1000 | 1001)) = code {
            state.sessions.end(&id, End::GivenUp(code));
        }
    }
    if let Some(record) = state.sessions.records.get(&id) {
        let (bot, shard, at) = (record.bot, record.shard, OffsetDateTime::now_utc());
        state.ledger.closes.push(Close { bot, shard, session_id: id, by_bot, code, at });
    }
}

/// The client's side.
struct Reader {
    sim: Sim,
    stream: SplitStream<WebSocket>,
    line: Line,
    commands: VecDeque<Instant>,
    heard: Instant,
}

impl Reader {
    /// Carries out what the client sends until it goes; the code of its close frame.
    async fn run(&mut self) -> Option<u16> {
        let interval = self.sim.read(|state| state.sessions.heartbeat());
        let mut watch = tokio::time::interval(interval);
        loop {
            tokio::select! {
                received = self.stream.next() => match received {
                    Some(Ok(Message::Text(text))) => self.receive(&text),
                    Some(Ok(Message::Pong(mark))) => self.pong(&mark),
                    Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                },
                // A client without a heartbeat is gone.
                _ = watch.tick() => if self.heard.elapsed() > interval * 2 {
                    self.line.end(Ending::Drop);
                },
            }
        }
    }

    /// Reads until the end of the connection; whether the peer's close frame came.
    async fn goodbye(&mut self) -> bool {
        let mut answered = false;
        while let Some(Ok(message)) = self.stream.next().await {
            answered |= matches!(message, Message::Close(_));
        }
        answered
    }

    fn receive(&mut self, text: &str) {
        // The end is decided; what was sent before the client heard of it counts no more.
        if self.line.hurry.is_cancelled() {
            return;
        }
        if text.len() > MAX_PAYLOAD {
            self.complain(&format!("a payload of {} bytes, more than {MAX_PAYLOAD}", text.len()));
            return self.close(4002);
        }
        let now = Instant::now();
        while self.commands.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            self.commands.pop_front();
        }
        self.commands.push_back(now);
        if self.commands.len() > COMMANDS {
            self.complain(&format!("more than {COMMANDS} commands in {WINDOW:?}"));
            return self.close(4008);
        }
        match serde_json::from_str::<Value>(text) {
            Ok(payload) => self.command(&ids_as_text(payload)),
            Err(_) => self.close(4002),
        }
    }

    fn command(&mut self, payload: &Value) {
        let d = &payload["d"];
        match (payload["op"].as_u64(), self.attached()) {
            (Some(1), session) => self.heartbeat(d, session.as_deref()),
            (Some(2 | 6), Some(_)) => self.close(4005),
            (Some(2), None) => {
                let url = self.sim.gateway_url();
                let outcome = self.sim.write(|state| {
                    let outcome = handshake::identify(state, d, &self.line, &url);
                    self.note(&outcome);
                    outcome
                });
                self.answer(&outcome);
            }
            (Some(6), None) => {
                let outcome = self.sim.write(|state| {
                    let outcome = handshake::resume(state, d, &self.line);
                    self.note(&outcome);
                    outcome
                });
                self.answer(&outcome);
            }
            (Some(3 | 4 | 8 | 31 | 43), None) => self.close(4003),
            (Some(3), Some(id)) => self.sim.write(|state| {
                if let Some(session) = state.sessions.by_id.get_mut(&id) {
                    session.presence = Some(d.clone());
                }
            }),
            (Some(8), Some(id)) => self.sim.write(|state| members::request(state, &id, d)),
            (Some(4 | 31 | 43), Some(_)) => {}
            _ => self.close(4001),
        }
    }

    fn heartbeat(&mut self, d: &Value, session: Option<&str>) {
        const ACK: &str = r#"{"t":null,"s":null,"op":11,"d":null}"#;
        self.heard = Instant::now();
        let delay = self.sim.write(|state| {
            if let (Some(id), Some(sequence)) = (session, d.as_u64()) {
                state.sessions.confirm(id, sequence);
            }
            let sessions = &mut state.sessions;
            let known = session.and_then(|id| sessions.by_id.get(id));
            let rule = sessions.faults.take(known, |fault| match fault {
                Fault::AckLate { by } => Some(Some(*by)),
                Fault::AckMissing => Some(None),
                _ => None,
            });
            if sessions.faults.withhold_acks { None } else { rule.unwrap_or(Some(Duration::ZERO)) }
        });
        match delay {
            None => {}
            Some(Duration::ZERO) => {
                self.line.send(Outgoing::Plain(ACK.into()));
            }
            Some(delay) => {
                let line = self.line.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    line.send(Outgoing::Plain(ACK.into()));
                });
            }
        }
    }

    /// The client has read everything up to the ping with this mark.
    fn pong(&self, mark: &[u8]) {
        if let Some((sequence, session)) = mark.split_first_chunk()
            && let Ok(session) = std::str::from_utf8(session)
        {
            self.sim.write(|state| state.sessions.confirm(session, u64::from_be_bytes(*sequence)));
        }
    }

    /// Under the lock that made the session: what is sent to it from now on belongs to it.
    fn note(&self, outcome: &Outcome) {
        if let Outcome::Attached(id) = outcome {
            self.line.attach(Some(id.clone()));
        }
    }

    fn answer(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Attached(_) => {}
            Outcome::Invalid(resumable) => {
                let payload = format!(r#"{{"t":null,"s":null,"op":9,"d":{resumable}}}"#);
                self.line.send(Outgoing::Plain(payload.into()));
            }
            Outcome::Close(code) => self.close(*code),
            Outcome::HangUp => self.line.end(Ending::Drop),
        }
    }

    fn close(&self, code: u16) {
        self.line.end(Ending::Close(code));
    }

    /// What Discord punishes is a wrong of a bot; people's clients are not judged.
    fn complain(&self, what: &str) {
        self.sim.write(|state| {
            let session = self.line.session().and_then(|id| state.sessions.by_id.get(&id));
            let whose = match session.map(|session| (session.principal, session.shard)) {
                Some((Principal::Person(_), _)) => return,
                Some((Principal::Bot(bot), shard)) => format!("shard {} of bot {bot}", shard[0]),
                None => "a connection without a session".to_owned(),
            };
            state.ledger.violation(format!("{whose}: {what}"));
        });
    }

    /// The session of this connection, unless it was ended or resumed by another one meanwhile.
    fn attached(&self) -> Option<String> {
        let id = self.line.session()?;
        let own = self.sim.read(|state| state.sessions.by_id.get(&id).is_some_and(|session| session.is_on(&self.line)));
        own.then_some(id)
    }
}
