//! A gateway connection by hand.

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use twilight_model::id::{Id, marker::UserMarker};

use crate::house::House;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Every intent.
pub(crate) const ALL: u64 = 0x1_FFFF | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25;

pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The newest sequence that came.
    pub(crate) sequence: u64,
}

impl Socket {
    pub(crate) async fn open(house: &House, query: &str) -> Self {
        let url = format!("{}/?{query}", house.sim.gateway_url());
        let (stream, _) = connect_async(url).await.unwrap();
        Self { stream, sequence: 0 }
    }

    /// A connection to an address, when it can be had.
    pub(crate) async fn to(url: &str) -> Result<Self, Error> {
        let (stream, _) = connect_async(format!("{url}/?v=10&encoding=json")).await?;
        Ok(Self { stream, sequence: 0 })
    }

    /// The next payload, or nothing when none comes within a while, or the connection ends.
    pub(crate) async fn soon(&mut self) -> Option<Value> {
        let next = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).ok(),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_millis(100), next).await.ok().flatten()
    }

    /// Sends a heartbeat, unless the connection is over.
    pub(crate) async fn heartbeat(&mut self, sequence: Option<u64>) -> bool {
        self.stream.send(Message::text(json!({ "op": 1, "d": sequence }).to_string())).await.is_ok()
    }

    /// A connection after HELLO.
    pub(crate) async fn greeted(house: &House) -> Self {
        let mut socket = Self::open(house, "v=10&encoding=json").await;
        let hello = socket.next().await;
        assert_eq!(hello["op"], 10);
        assert_eq!(hello["d"]["heartbeat_interval"], 41_250);
        socket
    }

    /// A session of the seeded bot with these intents, after READY and the seeded guild.
    pub(crate) async fn bot(house: &House, intents: u64) -> (Self, Value) {
        let mut socket = Self::greeted(house).await;
        socket.identify(&house.bot_token(), json!({ "intents": intents })).await;
        let ready = socket.event("READY").await;
        if intents & 1 != 0 {
            socket.event("GUILD_CREATE").await;
        }
        (socket, ready)
    }

    /// A session of a bot's shard, after READY; with no intents, nothing follows.
    pub(crate) async fn shard(house: &House, token: &str, shard: [u32; 2], intents: u64) -> (Self, Value) {
        let mut socket = Self::greeted(house).await;
        socket.identify(token, json!({ "intents": intents, "shard": shard })).await;
        let ready = socket.event("READY").await;
        (socket, ready)
    }

    /// A connection that resumes; the answer is still to be read.
    pub(crate) async fn resuming(house: &House, session: &Value, sequence: u64) -> Self {
        let mut socket = Self::greeted(house).await;
        socket.resume(&house.bot_token(), session, sequence).await;
        socket
    }

    /// A person's session, after READY and the seeded guild.
    pub(crate) async fn person(house: &House, user: Id<UserMarker>) -> Self {
        let mut socket = Self::greeted(house).await;
        socket.identify(&house.token(user), json!({})).await;
        socket.event("READY").await;
        socket.event("GUILD_CREATE").await;
        socket
    }

    pub(crate) async fn identify(&mut self, token: &str, more: Value) {
        let mut d = json!({ "token": token, "properties": { "os": "linux", "browser": "test", "device": "test" } });
        for (field, value) in more.as_object().unwrap() {
            d[field] = value.clone();
        }
        self.send(json!({ "op": 2, "d": d })).await;
    }

    pub(crate) async fn resume(&mut self, token: &str, session: &Value, sequence: u64) {
        self.send(json!({ "op": 6, "d": { "token": token, "session_id": session, "seq": sequence } })).await;
    }

    pub(crate) async fn send(&mut self, payload: Value) {
        self.send_text(payload.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    /// As [`Socket::send_text`], when the server may have closed already.
    pub(crate) async fn try_send(&mut self, text: &str) {
        drop(self.stream.send(Message::text(text)).await);
    }

    /// The next WebSocket message.
    pub(crate) async fn message(&mut self) -> Message {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("a message in time");
            let message = next.expect("an open connection").expect("a message");
            // The library answers them by itself.
            if !message.is_ping() {
                return message;
            }
        }
    }

    /// The next payload.
    pub(crate) async fn next(&mut self) -> Value {
        let message = self.message().await;
        let payload: Value = serde_json::from_str(message.to_text().expect("a text")).expect("JSON");
        self.sequence = payload["s"].as_u64().unwrap_or(self.sequence);
        payload
    }

    /// The data of the next event, which must be of this kind.
    pub(crate) async fn event(&mut self, kind: &str) -> Value {
        let payload = self.next().await;
        assert_eq!(payload["t"], kind, "{payload}");
        payload["d"].clone()
    }

    /// The data of the next event of this kind; what comes before it is passed over.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let payload = self.next().await;
            if payload["t"] == kind {
                return payload["d"].clone();
            }
        }
    }

    /// Asserts that nothing is under way: the answer to a heartbeat is the next that comes.
    pub(crate) async fn is_quiet(&mut self) {
        self.send(json!({ "op": 1, "d": self.sequence })).await;
        let payload = self.next().await;
        assert_eq!(payload["op"], 11, "{payload}");
    }

    /// The code with which the server closes; what comes before is passed over. `None` when it goes without a word.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("an end in time");
            match next {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The error with which the connection ends, before anything else comes.
    pub(crate) async fn broken(&mut self) -> Error {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("an end in time");
            match next.expect("no orderly end") {
                Ok(message) => assert!(message.is_ping(), "{message}"),
                Err(error) => return error,
            }
        }
    }

    /// Whether nothing has come yet.
    pub(crate) fn has_nothing(&mut self) -> bool {
        loop {
            match self.stream.next().now_or_never() {
                None => return true,
                Some(Some(Ok(message))) if message.is_ping() => {}
                Some(_) => return false,
            }
        }
    }

    /// Closes with a code and waits until the server has taken note.
    pub(crate) async fn close(mut self, code: u16) {
        self.stream.close(Some(CloseFrame { code: CloseCode::from(code), reason: "".into() })).await.unwrap();
        while let Some(Ok(_)) = self.stream.next().await {}
    }
}
