//! Several instances of the gate that together exceed no limit.
//!
//! Each bot has one owner at a time, by a lease in Redis, and only the owner sends for it (`seat`, `leases`). Others forward
//! its calls to the owner (`forward`). The limits stay where they are, in the owner's limiter; what the next owner must
//! know, and would not learn in time by itself, is kept in Redis (`memory`). What concerns the address that all share, each
//! tells the others (`address`). One instance alone has nothing of this.
//!
//! ```text
//! whose ─ place ─┬─ here: Leave ─ limiter ─ note ─ leave.holds() ─ Discord ─ learnt
//!                └─ there: forward ─ the owner's place
//! ```

mod address;
mod forward;
mod leases;
mod memory;
mod metrics;
mod rival;
mod seat;
mod settings;
mod store;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use axum::extract::Request;
use common::{
    backoff,
    discord::gate::Refused,
    http::Transparent,
    redis::RedisConfig,
    service::{Dependency, Service},
};
use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

pub use self::settings::{FleetConfig, Settings};
pub(crate) use self::{
    forward::{FORWARDED, Forwarded},
    seat::Leave,
};
use self::{
    memory::Memory,
    metrics::Metrics,
    rival::Rival,
    seat::{Lease, Look, Seat},
    store::{Claimed, Store},
};
use crate::limiter::{BotKey, Call, Learnt, Limiter, No, Pass, UNKNOWN_WAIT};

/// Who sends for the bot could not be found out in time, and nobody knows when it can.
pub(crate) const UNKNOWN_OWNER: No = No::Wait { wait: UNKNOWN_WAIT, why: Refused::Owner };

/// This instance among the others. Clones are the same one.
#[derive(Clone)]
pub struct Fleet(Option<Arc<Inner>>);

struct Inner {
    /// The address that others have of this instance, without a path.
    url: String,
    /// What its claims begin with: the address, and which process it is.
    instance: String,
    settings: Settings,
    store: Store,
    client: Transparent,
    limiter: Limiter,
    metrics: Metrics,
    redis: Dependency,
    /// The process was told to stop.
    leaving: CancellationToken,
    seats: Mutex<HashMap<BotKey, Arc<Seat>>>,
    claims: AtomicU64,
    memory: Memory,
    rival: Rival,
    banned: Notify,
}

/// What has one owner: a bot, or a webhook that is used by its token.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    /// Its name in Redis.
    name: Arc<str>,
    /// Its name in the limiter.
    bot: BotKey,
}

/// Where a call is to be sent from.
pub(crate) enum Place {
    /// From here, while the leave holds.
    Here(Leave),
    /// From another instance.
    There(There),
}

/// Another instance that sends for a bot.
pub(crate) struct There {
    seat: Arc<Seat>,
    /// Its address.
    pub(crate) owner: Arc<str>,
}

impl Fleet {
    /// The only instance.
    #[must_use]
    pub fn alone() -> Self {
        Self(None)
    }

    /// One of several, for as long as `service` has other tasks.
    ///
    /// # Errors
    ///
    /// When the metrics are registered already, or the system's certificate authorities cannot be loaded.
    pub fn join(config: FleetConfig, limiter: &Limiter, service: &Service) -> anyhow::Result<Self> {
        let FleetConfig { url, redis, settings } = config;
        let url = url.origin().ascii_serialization();
        let inner = Arc::new(Inner {
            instance: format!("{url} {:016x}.", rand::random::<u64>()),
            url,
            store: Store::new(&redis, &settings),
            client: Transparent::new().context("build the client for other instances")?,
            limiter: limiter.clone(),
            metrics: Metrics::new(service.metrics()).context("register the metrics of the fleet")?,
            redis: service.dependency("redis"),
            leaving: service.shutdown(),
            seats: Mutex::default(),
            claims: AtomicU64::new(0),
            memory: Memory::default(),
            rival: Rival::default(),
            banned: Notify::new(),
            settings,
        });
        metrics::show_owned(service.metrics(), Arc::downgrade(&inner)).context("register the metrics of the fleet")?;
        service.detail("fleet", {
            let inner = inner.clone();
            move || inner.health()
        });
        let fleet = inner.clone();
        // Renewals go through a pool of their own: no crowd of claims may hold them up.
        let renewals = Store::new(&RedisConfig { threads: 1, ..redis }, &inner.settings);
        service.spawn_lasting("fleet", move |lasting| async move {
            let stop = lasting.shutdown();
            lasting.spawn("leases", leases::keep(fleet.clone(), renewals, stop.clone()));
            lasting.spawn("memory", memory::keep(fleet.clone(), stop.clone()));
            lasting.spawn("address", address::keep(fleet, stop));
            lasting.finished().await
        });
        Ok(Self(Some(inner)))
    }

    /// Who has the limits of a call, where instances share them. The call is made one of its.
    ///
    /// Interactions are answered from where the call is: each has its own bucket, nothing is shared, and they must go on
    /// while Redis is away.
    pub(crate) fn whose(&self, call: &mut Call) -> Option<Whose> {
        self.0.as_ref()?;
        let route = &mut call.route;
        let name = if route.by_path_token {
            call.bot = BotKey::default();
            let mut parts = route.major.split('/');
            let id = parts.next().filter(|first| *first == "webhooks").and_then(|_| parts.next())?;
            let name = format!("webhook:{id}");
            call.bot = BotKey::of(name.as_bytes());
            // Redis is to hold no token.
            let token = parts.next().unwrap_or_default();
            route.major = format!("webhooks/{id}/{}", BotKey::of(token.as_bytes()).hex());
            name
        } else if call.bot == BotKey::default() {
            return None;
        } else {
            call.bot.hex()
        };
        Some(Whose { name: name.into(), bot: call.bot })
    }

    /// Where a call is to be sent from: waits for its owner, or becomes it. One that another instance forwarded is not
    /// forwarded again.
    ///
    /// # Errors
    ///
    /// [`No`], where that cannot be found out before the deadline.
    pub(crate) async fn place(&self, whose: Option<&Whose>, deadline: Instant, forwarded: bool) -> Result<Place, No> {
        let (Some(fleet), Some(whose)) = (&self.0, whose) else { return Ok(Place::Here(Leave::free())) };
        let seat = fleet.seat(whose);
        let mut asked = false;
        loop {
            match seat.look() {
                Look::Mine(leave) => return Ok(Place::Here(leave)),
                Look::Theirs(owner) if !forwarded => return Ok(Place::There(There { seat, owner })),
                Look::Unknown if !(forwarded && (asked || fleet.leaving.is_cancelled())) => {}
                Look::Theirs(_) | Look::Unknown => return Err(UNKNOWN_OWNER),
            }
            // Seldom needed, and large: each call that waits would hold the room for it.
            timeout_at(deadline, Box::pin(fleet.ask(&seat, forwarded))).await.map_err(|_| UNKNOWN_OWNER)?;
            asked = true;
        }
    }

    /// Gives a call to the instance that sends for its bot.
    pub(crate) async fn forward(&self, there: &There, request: Request, deadline: Instant) -> Forwarded {
        let Some(fleet) = &self.0 else { return Forwarded::Refused };
        fleet.metrics.forwarded.inc();
        let forwarded = forward::forward(&fleet.client, request, deadline).await;
        if !matches!(forwarded, Forwarded::Answered(_)) {
            there.seat.doubt(&there.owner);
        }
        forwarded
    }

    /// Notes what another must know of a request before it is sent: that is rare, and strict. Tells whether it may be sent
    /// in this moment.
    pub(crate) async fn note(&self, leave: &Leave, pass: &mut Pass, deadline: Instant) -> bool {
        let changes = pass.changes();
        if let (Some(fleet), Some(whose)) = (&self.0, leave.whose())
            && !changes.is_empty()
        {
            let facts = changes.iter().map(|fact| (&fact.about, Some(fact.until)));
            let remembered = timeout_at(deadline, Box::pin(fleet.store.remember(&whose.name, facts))).await;
            if !matches!(remembered, Ok(Ok(()))) || !pass.is_in_time() {
                return false;
            }
        }
        leave.holds()
    }

    /// A request was not sent after all.
    pub(crate) fn unsent(&self, leave: &Leave, pass: Pass) {
        let undone = pass.unsent();
        if let (Some(fleet), Some(whose)) = (&self.0, leave.whose()) {
            fleet.memory.note(&whose.name, Vec::new(), undone);
        }
    }

    /// Remembers for the next owner what an answer taught.
    pub(crate) fn learnt(&self, leave: &Leave, learnt: Learnt) {
        let Some(fleet) = &self.0 else { return };
        if learnt.banned {
            fleet.banned.notify_one();
        }
        if let Some(whose) = leave.whose() {
            fleet.memory.note(&whose.name, learnt.facts, learnt.undone);
        }
    }
}

impl Inner {
    fn seat(&self, whose: &Whose) -> Arc<Seat> {
        let mut seats = self.seats();
        seats.entry(whose.bot).or_insert_with(|| Arc::new(Seat::new(whose.clone()))).clone()
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<BotKey, Arc<Seat>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks Redis until it is known who sends for a bot, or `once`.
    async fn ask(&self, seat: &Seat, once: bool) {
        let _asking = seat.asking.lock().await;
        let mut pauses = backoff::exponential(Duration::from_millis(50), Duration::from_millis(500));
        while seat.is_unknown() {
            let wait = match self.claim(seat).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::debug!("who sends for {} is not known: {error}", seat.whose.name);
                    pauses.next()
                }
            };
            let Some(wait) = wait.filter(|_| !once) else { return };
            sleep(wait).await;
        }
    }

    /// Asks Redis once, and tells for how long asking again is of no use where that does not help.
    async fn claim(&self, seat: &Seat) -> Result<Option<Duration>, store::Error> {
        let Settings { lease, margin, .. } = self.settings;
        let Whose { name, bot } = &seat.whose;
        let value = format!("{}{}", self.instance, self.claims.fetch_add(1, Ordering::Relaxed));
        // One that is to stop lets its own lease end, so that another can take over.
        let leaving = self.leaving.is_cancelled();
        let instance = if leaving { &value } else { &self.instance };
        // Counted from before the question: Redis has it end later.
        let until = Instant::now() + lease.saturating_sub(margin);
        let lost = match self.store.claim(name, &value, instance, lease).await? {
            Claimed::Mine { facts, ban } => {
                if let Some(ban) = ban {
                    self.limiter.ban_for(ban);
                }
                self.limiter.take_over(*bot, facts);
                seat.is_mine(Arc::new(Lease::new(value, until)))
            }
            Claimed::Theirs(value) => match value.split(' ').next() {
                // An earlier process at this address, or this one before it was told to stop: that lease must end first.
                Some(owner) if owner == self.url => {
                    self.rival.saw(value, lease, &self.url);
                    return Ok(Some(self.settings.patience / 4));
                }
                owner => seat.is_theirs(owner.unwrap_or_default(), Instant::now() + lease),
            },
            Claimed::Young(wait) => return Ok(Some(wait)),
        };
        if lost && !leaving {
            self.metrics.lost.inc();
        }
        Ok(None)
    }

    /// The bots of this instance, and their leases.
    fn mine(&self) -> Vec<(Arc<Seat>, Arc<Lease>)> {
        let seats: Vec<_> = self.seats().values().cloned().collect();
        seats.into_iter().filter_map(|seat| seat.lease().map(|lease| (seat, lease))).collect()
    }

    fn owned(&self) -> Vec<Arc<Seat>> {
        self.mine().into_iter().filter(|(_, lease)| lease.holds()).map(|(seat, _)| seat).collect()
    }

    fn health(&self) -> Value {
        let short = |seat: Arc<Seat>| match seat.whose.name.strip_prefix("webhook:") {
            Some(_) => seat.whose.name.to_string(),
            // As the limiter shows it.
            None => seat.whose.bot.to_string(),
        };
        let mut owned: Vec<_> = self.owned().into_iter().map(short).collect();
        owned.sort_unstable();
        let shared = self.rival.is_there(self.settings.lease);
        json!({ "url": self.url, "owned": owned, "url_of_another_too": shared })
    }
}
