//! twilight, a stock client: it logs in, hears, answers and resumes.

use std::time::Duration;

use serde_json::json;
use twilight_gateway::{
    ConfigBuilder, Event, EventTypeFlags, Intents, Session, Shard, ShardId, StreamExt as _, queue::InMemoryQueue,
};
use twilight_model::{
    application::interaction::{Interaction, InteractionData},
    channel::message::MessageFlags,
    http::interaction::{InteractionResponse, InteractionResponseData, InteractionResponseType},
    id::{Id, marker::InteractionMarker},
};

use crate::{house::House, socket::PATIENCE};

fn http(house: &House) -> twilight_http::Client {
    let address = house.sim.page_url();
    let address = address.trim_start_matches("http://").trim_end_matches('/').to_owned();
    twilight_http::Client::builder().token(format!("Bot {}", house.bot_token())).proxy(address, true).build()
}

async fn shard(house: &House, session: Option<(Session, String)>) -> Shard<InMemoryQueue> {
    let gateway = http(house).gateway().authed().await.unwrap().model().await.unwrap();
    let intents = Intents::GUILDS | Intents::GUILD_MESSAGES | Intents::MESSAGE_CONTENT;
    // A queue that does not wait: the interval between two IDENTIFYs is tried elsewhere.
    let queue = InMemoryQueue::new(0, 1000, PATIENCE, 1000);
    let mut config = ConfigBuilder::new(house.bot_token(), intents).proxy_url(gateway.url).queue(queue);
    if let Some((session, url)) = session {
        config = config.session(session).resume_url(url);
    }
    Shard::with_config(ShardId::ONE, config.build())
}

/// The next event for which `pick` finds something.
async fn next<T>(shard: &mut Shard<InMemoryQueue>, mut pick: impl FnMut(Event) -> Option<T>) -> T {
    let found = async {
        loop {
            let event = shard.next_event(EventTypeFlags::all()).await.expect("a stream that goes on");
            // A connection that the server ends is reported once, and made anew.
            if let Ok(event) = event
                && let Some(found) = pick(event)
            {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("the event in time")
}

async fn hears(shard: &mut Shard<InMemoryQueue>, text: &str) {
    next(shard, |event| match event {
        Event::MessageCreate(message) if message.content == text => Some(()),
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn twilight_logs_in_and_resumes_after_every_kind_of_disconnect() {
    let house = House::build().await;
    let mut shard = shard(&house, None).await;
    let say = |text: &str| house.sim.write(|state| state.say(house.seed.general, house.seed.member, text));
    next(&mut shard, |event| matches!(event, Event::Ready(_)).then_some(())).await;
    next(&mut shard, |event| matches!(event, Event::GuildCreate(_)).then_some(())).await;
    for (number, code) in [Some(4000), Some(1012), None].into_iter().enumerate() {
        house.sim.write(|state| state.sessions.disconnect_bots(code));
        let text = format!("while you were away {number}");
        say(&text);
        hears(&mut shard, &text).await;
        next(&mut shard, |event| matches!(event, Event::Resumed).then_some(())).await;
    }
    house.sim.write(|state| state.sessions.ask_bots_to_reconnect());
    next(&mut shard, |event| matches!(event, Event::Resumed).then_some(())).await;
    assert_eq!(house.state(|state| (state.sessions.identifies.len(), state.sessions.resumes)), (1, 4));

    // A session that is over is followed by a new one.
    house.sim.write(|state| state.sessions.time_out_bots());
    next(&mut shard, |event| matches!(event, Event::Ready(_)).then_some(())).await;
    assert_eq!(house.state(|state| state.sessions.identifies.len()), 2);
}

#[tokio::test]
async fn twilight_resumes_in_another_process() {
    let house = House::build().await;
    let mut first = shard(&house, None).await;
    next(&mut first, |event| matches!(event, Event::GuildCreate(_)).then_some(())).await;
    let session = (first.session().unwrap().clone(), first.resume_url().unwrap().to_owned());
    drop(first);
    house.sim.write(|state| state.say(house.seed.general, house.seed.member, "meanwhile"));
    let mut second = shard(&house, Some(session)).await;
    hears(&mut second, "meanwhile").await;
    assert_eq!(house.state(|state| (state.sessions.identifies.len(), state.sessions.resumes)), (1, 1));
}

#[tokio::test]
async fn twilight_answers_an_interaction() {
    let house = House::build().await;
    let client = http(&house);
    let application = house.seed.application;
    client.interaction(application).create_global_command().chat_input("ping", "Answers").await.unwrap();
    let mut shard = shard(&house, None).await;
    next(&mut shard, |event| matches!(event, Event::GuildCreate(_)).then_some(())).await;
    let asked = house.sim.command(house.seed.member, house.seed.general, "ping", &json!([])).unwrap();
    let interaction: Interaction = next(&mut shard, |event| match event {
        Event::InteractionCreate(interaction) => Some(interaction.0),
        _ => None,
    })
    .await;
    assert!(matches!(&interaction.data, Some(InteractionData::ApplicationCommand(data)) if data.name == "ping"));
    assert_eq!(interaction.id.cast::<InteractionMarker>(), asked);
    let data = InteractionResponseData {
        content: Some("pong".into()),
        flags: Some(MessageFlags::EPHEMERAL),
        ..Default::default()
    };
    let response = InteractionResponse { kind: InteractionResponseType::ChannelMessageWithSource, data: Some(data) };
    client.interaction(application).create_response(interaction.id, &interaction.token, &response).await.unwrap();
    let message = house.sim.response(asked).await;
    assert_eq!((message.content.as_str(), message.only_for), ("pong", Some(house.seed.member)));
}

#[tokio::test]
async fn twilight_reads_what_rest_answers() {
    let house = House::build().await;
    let client = http(&house);
    let guild = client.guild(house.seed.guild).await.unwrap().model().await.unwrap();
    assert_eq!(guild.name, "Moonlight Games");
    let channels = client.guild_channels(house.seed.guild).await.unwrap().models().await.unwrap();
    assert_eq!(channels.len(), 4);
    let member = client.guild_member(house.seed.guild, house.seed.member).await.unwrap().model().await.unwrap();
    assert_eq!(member.user.name, "mia");
    let message = client.create_message(house.seed.general).content("hello").await.unwrap().model().await.unwrap();
    assert_eq!(message.content, "hello");
    client.update_message(house.seed.general, message.id).content(Some("hello!")).await.unwrap();
    let listed = client.channel_messages(house.seed.general).limit(1).await.unwrap().models().await.unwrap();
    assert_eq!(listed[0].content, "hello!");
    let missing = client.message(house.seed.general, Id::new(1)).await.unwrap_err();
    assert!(missing.to_string().contains("404"), "{missing}");
    let limit = client.gateway().authed().await.unwrap().model().await.unwrap().session_start_limit;
    assert_eq!((limit.total, limit.max_concurrency), (1000, 1));
    assert!(Duration::from_millis(limit.reset_after) <= Duration::from_secs(86_400));
}
