//! A Discord with one guild, a database, and the worker's routes as the endpoint of its bot.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::{self, Body},
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use common::{
    clock::Clock,
    discord::{Discord, DiscordConfig},
};
use database::scratch::Scratch;
use discord_sim::{
    RestFault, RestMatch, Sim,
    seed::Seed,
    state::{self, Channel, Interaction, Message},
};
use event_stream::{KafkaConfig, LateInteractions, ensure_topics, testing};
use model::{GuildSettings, Ticket, TicketKey, TicketNumber, TicketState, topics::LateInteraction};
use prometheus::Registry;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::OnceCell};
use tokio_util::task::TaskTracker;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, InteractionMarker, MessageMarker, UserMarker},
};
use worker::{Context, Metrics, answer, register, reply, routes};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct House {
    pub(crate) sim: Sim,
    pub(crate) seed: Seed,
    pub(crate) scratch: Scratch,
    pub(crate) cx: Context,
}

/// Where no cache is: Discord is asked.
pub(crate) fn no_cache() -> cache::ClientConfig {
    cache::ClientConfig { uri: "http://127.0.0.1:9".parse().unwrap(), shared_key: None }
}

impl House {
    /// A guild that has the bot and its commands.
    pub(crate) async fn new() -> House {
        common::tls::install_provider();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sim = Sim::start(listener).unwrap();
        let seed = Seed::plant(&sim);
        let config = DiscordConfig { api_url: sim.api_url().parse().unwrap() };
        let scratch = Scratch::create().await.unwrap();
        let discord = Discord::new(&config, seed.token(&sim).into()).unwrap();
        let cx = Context {
            db: scratch.database.clone(),
            cache: cache::client::Client::new(&no_cache(), "test", seed.application, discord.clone()).unwrap(),
            discord,
            bot: seed.application,
            clock: Clock::system(),
            metrics: Metrics::register(&Registry::new()).unwrap(),
            late_clicks: testing::producer(kafka().await).await.unwrap(),
            tasks: TaskTracker::new(),
            wake: Arc::default(),
        };
        register::register(&cx).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/interactions", listener.local_addr().unwrap());
        let house = House { sim, seed, scratch, cx };
        let router = routes::router(house.cx.clone(), None);
        let router = router.layer(middleware::from_fn_with_state(house.cx.clone(), as_http_gateway));
        let stopped = house.sim.stopped().cancelled_owned();
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await });
        house.set_endpoint(Some(endpoint));
        house
    }

    /// The same after `/setup` in the support channel, with one member of staff.
    pub(crate) async fn furnished() -> House {
        let house = House::new().await;
        house.command(house.seed.admin, house.seed.support, "setup", json!([])).await;
        let role = house.settings().await.staff_role.unwrap();
        let (guild, staff) = (house.seed.guild, house.seed.staff);
        house.sim.write(|state| state.give_role(guild, staff, role));
        house
    }

    /// What a worker has that is started with a good token, after this one's was refused.
    pub(crate) fn restarted(&self) -> Context {
        let config = DiscordConfig { api_url: self.sim.api_url().parse().unwrap() };
        let discord = Discord::new(&config, self.seed.token(&self.sim).into()).unwrap();
        Context { cache: self.cx.cache.by(discord.clone()), discord, ..self.cx.clone() }
    }

    /// Waits until nothing is done in the background any more.
    pub(crate) async fn calm(&self) {
        self.cx.tasks.close();
        tokio::time::timeout(PATIENCE, self.cx.tasks.wait()).await.expect("work goes on");
    }

    /// Ends everything. What Discord would punish, and interactions that were answered badly, fail the test.
    pub(crate) async fn leave(self) {
        self.cx.tasks.close();
        tokio::time::timeout(PATIENCE, self.cx.tasks.wait()).await.expect("work is left over");
        self.sim.read(|state| {
            assert_eq!(state.ledger.violations, Vec::<String>::new());
            assert!(state.ledger.failed_interactions.is_empty(), "{:?}", state.ledger.failed_interactions);
        });
        self.sim.stop();
    }

    pub(crate) fn set_endpoint(&self, url: Option<String>) {
        let application = self.seed.application;
        self.sim.write(|state| {
            state.applications.get_mut(&application).unwrap().interactions_endpoint_url = url;
        });
    }

    /// Uses a command and waits for the answer's text.
    pub(crate) async fn command(
        &self,
        user: Id<UserMarker>,
        channel: Id<ChannelMarker>,
        name: &str,
        options: Value,
    ) -> Message {
        let id = self.sim.command(user, channel, name, &options).unwrap();
        self.sim.response(id).await
    }

    /// Presses a button of the newest message that has it, and waits for the answer.
    pub(crate) async fn press(&self, user: Id<UserMarker>, channel: Id<ChannelMarker>, custom_id: &str) -> Interaction {
        let id = self.click(user, channel, custom_id);
        self.sim.answered(id).await
    }

    /// Presses a button and waits for the message that answers it.
    pub(crate) async fn press_for_text(
        &self,
        user: Id<UserMarker>,
        channel: Id<ChannelMarker>,
        custom_id: &str,
    ) -> String {
        let id = self.click(user, channel, custom_id);
        self.sim.response(id).await.content
    }

    pub(crate) fn click(
        &self,
        user: Id<UserMarker>,
        channel: Id<ChannelMarker>,
        custom_id: &str,
    ) -> Id<InteractionMarker> {
        let message = self.button(channel, custom_id).expect("a message has the button");
        self.sim.click(user, channel, message, custom_id).unwrap()
    }

    /// The newest message with this button.
    pub(crate) fn button(&self, channel: Id<ChannelMarker>, custom_id: &str) -> Option<Id<MessageMarker>> {
        let quoted = format!("\"{custom_id}\"");
        self.sim.read(|state| {
            let found = state.find_message(channel, |message| json!(message.components).to_string().contains(&quoted));
            found.map(|message| message.id)
        })
    }

    /// Presses the panel's button and gives the text of the answer.
    pub(crate) async fn open_as(&self, user: Id<UserMarker>) -> String {
        self.press_for_text(user, self.seed.support, "t1:open:1").await
    }

    /// A ticket of the member, opened by the panel.
    pub(crate) async fn opened(&self) -> Ticket {
        self.open_as(self.seed.member).await;
        let ticket = self.ticket(1).await;
        assert_eq!(ticket.state, TicketState::Open);
        ticket
    }

    pub(crate) async fn settings(&self) -> GuildSettings {
        self.cx.db.settings().by_guild(self.seed.guild).await.unwrap()
    }

    pub(crate) fn key(&self, number: i32) -> TicketKey {
        TicketKey { guild: self.seed.guild, number: TicketNumber(number) }
    }

    pub(crate) async fn ticket(&self, number: i32) -> Ticket {
        self.cx.db.tickets().by_number(self.key(number)).await.unwrap().expect("the ticket is there")
    }

    /// Waits until a ticket is in a state.
    pub(crate) async fn ticket_in(&self, number: i32, state: TicketState) -> Ticket {
        let reached = async {
            loop {
                let ticket = self.ticket(number).await;
                if ticket.state == state {
                    return ticket;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("ticket {number} is never {state}"))
    }

    /// Lets the lease of a ticket end, as it does a while after its holder died.
    pub(crate) async fn end_lease(&self, number: i32) {
        let held = self.ticket(number).await;
        assert!(self.cx.db.tickets().release_lease(&held).await.unwrap(), "a lease is held");
    }

    /// Channels whose name is a ticket's.
    pub(crate) fn ticket_channels(&self) -> Vec<Channel> {
        let guild = self.seed.guild;
        self.sim.read(|state| {
            let all = state.guild_channels(guild).into_iter();
            all.filter(|channel| channel.name.starts_with("ticket-0")).cloned().collect()
        })
    }

    /// Messages of a channel that everybody there sees, oldest first.
    pub(crate) fn messages(&self, channel: Id<ChannelMarker>) -> Vec<Message> {
        self.sim.read(|state| {
            let all = state.messages.get(&channel).into_iter().flat_map(|messages| messages.values());
            all.filter(|message| message.only_for.is_none()).cloned().collect()
        })
    }

    /// The notices in the transcript channel, with their files' texts.
    pub(crate) async fn transcripts(&self) -> Vec<(Message, String)> {
        let channel = self.settings().await.transcript_channel.unwrap();
        let messages = self.messages(channel);
        self.sim.read(|state| messages.into_iter().map(|message| (message.clone(), file_of(state, &message))).collect())
    }

    /// The next requests of this kind fail so.
    pub(crate) fn fail(&self, method: &'static str, template: &'static str, fault: RestFault) {
        self.sim.write(|state| state.rest_faults.push((RestMatch { method, template, times: 1 }, fault)));
    }

    /// The click as it lies on Kafka for later; nothing of this process must be needed to finish it.
    pub(crate) async fn kept(&self, click: &Interaction) -> Vec<LateInteraction> {
        let config = kafka().await;
        let records = testing::read_all::<LateInteractions>(config, &config.interactions_topic).await.unwrap();
        let late = records.into_iter().map(|(late, _)| late);
        // Houses share the topic, and their Discords may give one id twice.
        late.filter(|late| String::from_utf8_lossy(&late.payload).contains(&click.token)).collect()
    }

    /// Requests to Discord so far of this method and template.
    pub(crate) fn count(&self, method: &str, template: &str) -> usize {
        self.sim.read(|state| {
            let all = state.ledger.requests.iter();
            all.filter(|request| request.method == method && request.template.as_deref() == Some(template)).count()
        })
    }
}

fn file_of(state: &state::State, message: &Message) -> String {
    let file = message.attachments.first().and_then(|file| state.files.get(&file.id));
    file.map(|(_, bytes)| String::from_utf8(bytes.to_vec()).unwrap()).unwrap_or_default()
}

/// Says "the answer comes later" for what the worker puts off, and brings it as a late click, which nothing holds up on the way.
async fn as_http_gateway(State(cx): State<Context>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let payload = body::to_bytes(body, usize::MAX).await.unwrap();
    let response = next.run(Request::from_parts(head, Body::from(payload.clone()))).await;
    if response.status() != StatusCode::ACCEPTED {
        return response;
    }
    let read = worker::interaction::Interaction::parse(&payload).unwrap();
    let (bot, received_at) = (cx.bot, cx.clock.now());
    let late = LateInteraction { bot, interaction: read.id, guild: read.guild_id, received_at, trace: None, payload };
    cx.tasks.clone().spawn(async move {
        for _ in 0..10 {
            if answer::late::answer(&cx, &late).await.is_ok() {
                return;
            }
        }
        panic!("the late click {} fails ten times", late.interaction);
    });
    Json(reply::deferred()).into_response()
}

/// Topics of this process, for what the houses' workers leave for later.
pub(crate) async fn kafka() -> &'static KafkaConfig {
    static TOPICS: OnceCell<KafkaConfig> = OnceCell::const_new();
    let made = async {
        let config = testing::config();
        ensure_topics(&config).await.unwrap();
        config
    };
    TOPICS.get_or_init(|| made).await
}

/// An option of a command.
pub(crate) fn option(name: &str, value: &str) -> Value {
    json!([{ "name": name, "type": 3, "value": value }])
}
