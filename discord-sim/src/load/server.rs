//! The gateway of the load, the REST routes before it, and the routes that order load.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{
        Query, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    response::Response,
    routing::{get, post},
    serve::ListenerExt as _,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    frames::{Frame, VARIETY, guild_id, messages},
    guild::{BOT, reference_guild},
};
use crate::gateway::Compression;

/// Events after which a connection looks for what it received.
const STRIDE: u64 = 64;

/// Serves until the task is dropped.
///
/// # Errors
///
/// When the socket cannot be used.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let load = Load(Arc::new(Inner {
        addr: listener.local_addr()?,
        guilds: Mutex::new(Guilds { per_shard: 0 }),
        shards: Mutex::default(),
        dispatched: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        wire_bytes: AtomicU64::new(0),
    }));
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    axum::serve(listener, router(load)).await
}

fn router(load: Load) -> Router {
    Router::new()
        .route("/api/v10/gateway/bot", get(gateway_bot))
        .route("/api/v10/users/@me", get(me))
        .route("/gateway", get(upgrade))
        .route("/gateway/", get(upgrade))
        .route("/_load", get(state))
        .route("/_load/guilds", post(set_guilds))
        .route("/_load/events", post(send_events))
        .with_state(load)
}

#[derive(Clone)]
struct Load(Arc<Inner>);

struct Inner {
    addr: SocketAddr,
    guilds: Mutex<Guilds>,
    /// The connections with a session, by shard.
    shards: Mutex<BTreeMap<u64, mpsc::UnboundedSender<Order>>>,
    dispatched: AtomicU64,
    bytes: AtomicU64,
    wire_bytes: AtomicU64,
}

/// The guilds of each shard that identifies from now on; body of `POST /_load/guilds`.
#[derive(Clone, Copy, Deserialize)]
struct Guilds {
    per_shard: u64,
}

/// What all connected shards together are to get; body of `POST /_load/events`.
#[derive(Clone, Copy, Deserialize)]
struct Events {
    count: u64,
    /// Events a second; as fast as they are taken where it is 0.
    #[serde(default)]
    rate: u64,
    /// JSON of one MESSAGE_CREATE, about; other kinds have sizes of their own.
    bytes: usize,
}

/// What was sent so far; answer of `GET /_load`.
#[derive(Serialize)]
struct Sent {
    /// Shards with a session.
    connected: usize,
    /// Dispatches, those of the session's begin among them.
    dispatched: u64,
    /// Their JSON.
    bytes: u64,
    /// The same as it went over the wire, WebSocket headers apart.
    wire_bytes: u64,
}

/// One connection's part of [`Events`].
struct Order {
    count: u64,
    /// Between two events.
    pause: Duration,
    begin: Instant,
    events: Arc<Vec<Frame>>,
    done: oneshot::Sender<()>,
}

impl Load {
    fn shards(&self) -> MutexGuard<'_, BTreeMap<u64, mpsc::UnboundedSender<Order>>> {
        self.0.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guilds(&self) -> MutexGuard<'_, Guilds> {
        self.0.guilds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn gateway_bot(State(load): State<Load>) -> Json<Value> {
    Json(json!({
        "url": format!("ws://{}/gateway", load.0.addr), "shards": 1,
        "session_start_limit": { "total": 1000, "remaining": 1000, "reset_after": 14_400_000, "max_concurrency": 1000 },
    }))
}

async fn me() -> Json<Value> {
    Json(json!({ "id": BOT.to_string(), "username": "load", "discriminator": "0", "avatar": null, "bot": true }))
}

async fn state(State(load): State<Load>) -> Json<Sent> {
    Json(Sent {
        connected: load.shards().len(),
        dispatched: load.0.dispatched.load(Ordering::Relaxed),
        bytes: load.0.bytes.load(Ordering::Relaxed),
        wire_bytes: load.0.wire_bytes.load(Ordering::Relaxed),
    })
}

async fn set_guilds(State(load): State<Load>, Json(guilds): Json<Guilds>) {
    *load.guilds() = guilds;
}

/// Answers when the last event was handed to its socket.
async fn send_events(State(load): State<Load>, Json(order): Json<Events>) -> Json<Value> {
    let events = Arc::new(messages(order.bytes));
    let (mut all, begin) = (Vec::new(), Instant::now());
    {
        let shards = load.shards();
        let count = shards.len() as u64;
        let gap = if order.rate == 0 { Duration::ZERO } else { Duration::from_secs(1) / rate(order.rate) };
        for (place, shard) in shards.values().enumerate() {
            let place = place as u64;
            let (done, finished) = oneshot::channel();
            let part = Order {
                count: order.count / count + u64::from(place < order.count % count),
                pause: gap * rate(count),
                begin: begin + gap * rate(place),
                events: Arc::clone(&events),
                done,
            };
            if shard.send(part).is_ok() {
                all.push(finished);
            }
        }
    }
    let mut parts = 0;
    for finished in all {
        parts += u64::from(finished.await.is_ok());
    }
    Json(json!({ "shards": parts, "seconds": begin.elapsed().as_secs_f64() }))
}

fn rate(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[derive(Deserialize)]
struct Params {
    compress: Option<String>,
}

async fn upgrade(State(load): State<Load>, Query(params): Query<Params>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| {
        let Ok(compression) = Compression::new(params.compress.as_deref()) else { return };
        let seed = load.0.dispatched.load(Ordering::Relaxed);
        let text = String::new();
        Connection { load, socket, compression, shard: None, sequence: 0, random: StdRng::seed_from_u64(seed), text }
            .run()
            .await;
    })
}

struct Connection {
    load: Load,
    socket: WebSocket,
    compression: Compression,
    /// Number and total, once it has a session.
    shard: Option<(u64, u64)>,
    sequence: u64,
    random: StdRng,
    text: String,
}

/// The connection is over.
struct Ended;

impl Connection {
    async fn run(mut self) {
        let (orders, mut ordered) = mpsc::unbounded_channel::<Order>();
        let hello = r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250,"_trace":["[\"load\"]"]}}"#;
        if self.send(hello).await.is_err() {
            return;
        }
        let mut at_work: Option<(Order, u64)> = None;
        loop {
            let due = at_work.as_ref().map(|(order, sent)| order.begin + order.pause * rate(*sent));
            let step = tokio::select! {
                biased;
                received = self.socket.recv() => match received {
                    Some(Ok(Message::Text(text))) => self.receive(text.as_str(), &orders).await,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Ended),
                    Some(Ok(_)) => Ok(()),
                },
                Some(order) = ordered.recv(), if at_work.is_none() => {
                    at_work = Some((order, 0));
                    Ok(())
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.work(&mut at_work).await,
            };
            if step.is_err() {
                break;
            }
        }
        if let Some((number, _)) = self.shard {
            let mut shards = self.load.shards();
            if shards.get(&number).is_some_and(|current| current.same_channel(&orders)) {
                shards.remove(&number);
            }
        }
    }

    /// Sends what is due of an order.
    async fn work(&mut self, at_work: &mut Option<(Order, u64)>) -> Result<(), Ended> {
        let Some((order, sent)) = at_work else { return Ok(()) };
        let due = if order.pause.is_zero() {
            order.count
        } else {
            let passed = order.begin.elapsed().as_nanos() / order.pause.as_nanos() + 1;
            u64::try_from(passed).unwrap_or(u64::MAX).min(order.count)
        };
        let guilds = self.load.guilds().per_shard.max(1000);
        for _ in *sent..due.min(*sent + STRIDE) {
            let frame = &order.events[self.random.random_range(0..VARIETY)];
            let place = self.random.random_range(0..guilds);
            self.dispatch(frame, self.guild(place)).await?;
            *sent += 1;
        }
        if *sent == order.count
            && let Some((order, _)) = at_work.take()
        {
            // Whoever ordered may have gone.
            let _ = order.done.send(());
        }
        Ok(())
    }

    async fn receive(&mut self, text: &str, orders: &mpsc::UnboundedSender<Order>) -> Result<(), Ended> {
        let payload: Value = serde_json::from_str(text).map_err(|_| Ended)?;
        let d = &payload["d"];
        match payload["op"].as_u64() {
            Some(1) => self.send(r#"{"t":null,"s":null,"op":11,"d":null}"#).await,
            Some(2) => {
                let shard = [d["shard"][0].as_u64().unwrap_or(0), d["shard"][1].as_u64().unwrap_or(1)];
                self.shard = Some((shard[0], shard[1]));
                self.begin(shard).await?;
                self.load.shards().insert(shard[0], orders.clone());
                Ok(())
            }
            Some(6) => {
                // The session's id says which shard it is.
                let mut parts = d["session_id"].as_str().unwrap_or_default().split('-').skip(1);
                let mut part = || parts.next().and_then(|part| part.parse().ok()).ok_or(Ended);
                let (number, total) = (part()?, part()?);
                self.shard = Some((number, total));
                self.sequence = d["seq"].as_u64().unwrap_or(0);
                self.dispatch(&Frame::new("RESUMED", r#"{"_trace":[]}"#), 0).await?;
                self.load.shards().insert(number, orders.clone());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// READY and the guilds.
    async fn begin(&mut self, shard: [u64; 2]) -> Result<(), Ended> {
        let Guilds { per_shard } = *self.load.guilds();
        let guilds: Vec<_> =
            (0..per_shard).map(|place| json!({ "unavailable": true, "id": self.guild(place).to_string() })).collect();
        let ready = json!({
            "v": 10, "user_settings": {}, "user": { "id": BOT.to_string(), "username": "load", "bot": true }, "session_type": "normal",
            "session_id": format!("{:032x}-{}-{}", rand::random::<u128>(), shard[0], shard[1]), "shard": shard,
            "resume_gateway_url": format!("ws://{}/gateway", self.load.0.addr), "private_channels": [], "presences": [],
            "guilds": guilds, "application": { "id": BOT.to_string(), "flags": 0 }, "auth": {}, "_trace": [],
        });
        self.dispatch(&Frame::new("READY", &ready.to_string()), 0).await?;
        for place in 0..per_shard {
            let guild = self.guild(place);
            self.dispatch(&Frame::new("GUILD_CREATE", &reference_guild(guild)), guild).await?;
        }
        Ok(())
    }

    fn guild(&self, place: u64) -> u64 {
        guild_id(self.shard.unwrap_or((0, 1)), place)
    }

    async fn dispatch(&mut self, frame: &Frame, guild: u64) -> Result<(), Ended> {
        self.sequence += 1;
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        // Writing to a String cannot fail.
        let _ = write!(text, r#"{{"t":"{}","s":{},"op":0,"d":{}"#, frame.kind, self.sequence, frame.before);
        if let Some(after) = &frame.after {
            let _ = write!(text, "{guild}{after}");
        }
        text.push('}');
        self.load.0.dispatched.fetch_add(1, Ordering::Relaxed);
        self.load.0.bytes.fetch_add(text.len() as u64, Ordering::Relaxed);
        let sent = self.send(&text).await;
        self.text = text;
        sent
    }

    async fn send(&mut self, text: &str) -> Result<(), Ended> {
        let message = match self.compression.apply(text).map_err(|_| Ended)? {
            None => Message::Text(text.into()),
            Some(bytes) => Message::Binary(bytes.into()),
        };
        let length = match &message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
            _ => 0,
        };
        self.load.0.wire_bytes.fetch_add(length as u64, Ordering::Relaxed);
        self.socket.send(message).await.map_err(|_| Ended)
    }
}
