//! One WebSocket connection from HELLO to its close.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use axum::{
    extract::{
        Query, State as Extract, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    compression::Compression,
    handshake::{self, Outcome},
    members,
    sessions::Outgoing,
};
use crate::{sim::Sim, snowflake::ids_as_text};

/// The interval that HELLO names.
const HEARTBEAT: Duration = Duration::from_millis(41_250);
/// Commands in [`WINDOW`]; more close the connection with 4008.
const COMMANDS: usize = 120;
const WINDOW: Duration = Duration::from_secs(60);
/// Larger payloads close the connection with 4002.
const MAX_PAYLOAD: usize = 4096;
/// How long a closed connection waits for the peer's goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// The query of the gateway's address.
#[derive(Debug, Deserialize)]
pub struct Params {
    v: Option<u8>,
    encoding: Option<String>,
    compress: Option<String>,
}

/// Takes a connection.
pub async fn upgrade(Extract(sim): Extract<Sim>, Query(params): Query<Params>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| async move {
        let Ok(compression) = Compression::new(params.compress.as_deref()) else { return };
        let (outbox, inbox) = mpsc::unbounded_channel();
        let mut connection = Connection {
            sim,
            socket,
            compression,
            outbox,
            session: None,
            commands: VecDeque::new(),
            heard: Instant::now(),
        };
        let refused = match (params.v, params.encoding.as_deref()) {
            (Some(10 | 9), Some("json") | None) | (None, _) => None,
            (Some(10 | 9), Some(_)) => Some(4002),
            _ => Some(4012),
        };
        match refused {
            Some(code) => connection.close(Some(code)).await,
            None => connection.run(inbox).await,
        }
        connection.detach();
    })
}

struct Connection {
    sim: Sim,
    socket: WebSocket,
    compression: Compression,
    outbox: mpsc::UnboundedSender<Outgoing>,
    session: Option<String>,
    commands: VecDeque<Instant>,
    heard: Instant,
}

/// The connection is over.
struct Ended;

impl Connection {
    async fn run(&mut self, mut inbox: mpsc::UnboundedReceiver<Outgoing>) {
        let stopped = self.sim.stopped();
        if let Some(delay) = self.sim.read(|state| state.sessions.faults.hello_delay) {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = gone(&mut self.socket) => return,
                () = stopped.cancelled() => return,
            }
        }
        if self.hello().await.is_err() {
            return;
        }
        let mut watch = tokio::time::interval(HEARTBEAT);
        loop {
            let step = tokio::select! {
                received = self.socket.recv() => match received {
                    Some(Ok(message)) => self.receive(message).await,
                    _ => Err(Ended),
                },
                Some(outgoing) = inbox.recv() => self.forward(outgoing).await,
                _ = watch.tick() => if self.heard.elapsed() > HEARTBEAT * 2 { Err(Ended) } else { Ok(()) },
                () = stopped.cancelled() => Err(Ended),
            };
            if step.is_err() {
                return;
            }
        }
    }

    async fn hello(&mut self) -> Result<(), Ended> {
        let interval = u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX);
        self.send(&json!({ "t": null, "s": null, "op": 10, "d": { "heartbeat_interval": interval, "_trace": ["[\"discord-sim\"]"] } }).to_string()).await
    }

    async fn forward(&mut self, outgoing: Outgoing) -> Result<(), Ended> {
        match outgoing {
            Outgoing::Frame(frame) => self.send(&frame).await,
            Outgoing::Close(None) => Err(Ended),
            Outgoing::Close(code) => self.end_with(code).await,
        }
    }

    async fn receive(&mut self, message: Message) -> Result<(), Ended> {
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Close(frame) => {
                // 1000 and 1001 end the session; any other code keeps it for a RESUME.
                if matches!(frame.as_ref().map(|frame| frame.code), Some(1000 | 1001))
                    && let Some(id) = self.attached()
                {
                    self.sim.write(|state| state.sessions.by_id.remove(&id));
                }
                return Err(Ended);
            }
            _ => return Ok(()),
        };
        if text.len() > MAX_PAYLOAD {
            return self.end_with(Some(4002)).await;
        }
        let now = Instant::now();
        self.commands.retain(|at| now.duration_since(*at) < WINDOW);
        self.commands.push_back(now);
        if self.commands.len() > COMMANDS {
            return self.end_with(Some(4008)).await;
        }
        let Ok(payload) = serde_json::from_str::<Value>(text) else { return self.end_with(Some(4002)).await };
        self.command(&ids_as_text(payload)).await
    }

    async fn command(&mut self, payload: &Value) -> Result<(), Ended> {
        let d = &payload["d"];
        match (payload["op"].as_u64(), self.attached().is_some()) {
            (Some(1), _) => {
                self.heard = Instant::now();
                if self.sim.read(|state| state.sessions.faults.withhold_acks) {
                    return Ok(());
                }
                self.send(r#"{"t":null,"s":null,"op":11,"d":null}"#).await
            }
            (Some(2 | 6), true) => self.end_with(Some(4005)).await,
            (Some(2), false) => {
                let url = self.sim.gateway_url();
                let outcome = self.sim.write(|state| handshake::identify(state, d, &self.outbox, &url));
                self.attach(outcome).await
            }
            (Some(6), false) => {
                let outcome = self.sim.write(|state| handshake::resume(state, d, &self.outbox));
                self.attach(outcome).await
            }
            (Some(3 | 4 | 8 | 31 | 43), false) => self.end_with(Some(4003)).await,
            (Some(8), true) => {
                if let Some(id) = self.attached() {
                    self.sim.write(|state| members::request(state, &id, d));
                }
                Ok(())
            }
            (Some(3 | 4 | 31 | 43), true) => Ok(()),
            _ => self.end_with(Some(4001)).await,
        }
    }

    async fn attach(&mut self, outcome: Outcome) -> Result<(), Ended> {
        match outcome {
            Outcome::Attached(id) => {
                self.session = Some(id);
                Ok(())
            }
            Outcome::Invalid(resumable) => self.send(&format!(r#"{{"t":null,"s":null,"op":9,"d":{resumable}}}"#)).await,
            Outcome::Close(code) => self.end_with(Some(code)).await,
        }
    }

    async fn send(&mut self, payload: &str) -> Result<(), Ended> {
        if self.sim.read(|state| state.sessions.faults.silent) {
            return Ok(());
        }
        let message = match self.compression.apply(payload) {
            Ok(None) => Message::Text(payload.into()),
            Ok(Some(bytes)) => Message::Binary(bytes.into()),
            Err(_) => return Err(Ended),
        };
        self.socket.send(message).await.map_err(|_| Ended)
    }

    /// Closes with a code; for where the connection ends by it.
    async fn end_with(&mut self, code: Option<u16>) -> Result<(), Ended> {
        self.close(code).await;
        Err(Ended)
    }

    async fn close(&mut self, code: Option<u16>) {
        if let Some(code) = code {
            // From here on the session waits for its RESUME.
            self.detach();
            let frame = CloseFrame { code, reason: reason(code).into() };
            // The peer may be gone already; then there is nobody to tell.
            if self.socket.send(Message::Close(Some(frame))).await.is_err() {
                return;
            }
            // What the peer had sent must be read: a socket that is dropped before is reset, and the reset overtakes the close frame.
            drop(tokio::time::timeout(GOODBYE, gone(&mut self.socket)).await);
        }
    }

    /// The session of this connection, unless it was ended or resumed by another one meanwhile.
    fn attached(&self) -> Option<String> {
        let id = self.session.as_ref()?;
        let own =
            self.sim.read(|state| state.sessions.by_id.get(id).is_some_and(|session| session.is_on(&self.outbox)));
        own.then(|| id.clone())
    }

    fn detach(&mut self) {
        let Some(id) = self.session.take() else { return };
        self.sim.write(|state| {
            if let Some(session) = state.sessions.by_id.get_mut(&id)
                && session.is_on(&self.outbox)
            {
                session.outbox = None;
            }
        });
    }
}

/// Waits for the peer's close frame or the end of the connection.
async fn gone(socket: &mut WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Close(_)) {
            return;
        }
    }
}

fn reason(code: u16) -> &'static str {
    match code {
        4001 => "Unknown opcode.",
        4002 => "Error while decoding payload.",
        4003 => "Not authenticated.",
        4004 => "Authentication failed.",
        4005 => "Already authenticated.",
        4007 => "Invalid seq.",
        4008 => "Rate limited.",
        4009 => "Session timed out.",
        4010 => "Invalid shard.",
        4011 => "Sharding required.",
        4012 => "Invalid API version.",
        4013 => "Invalid intent(s).",
        4014 => "Disallowed intent(s).",
        _ => "Unknown error.",
    }
}
