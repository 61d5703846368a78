use std::sync::atomic::{AtomicU64, Ordering};

use model::{TicketState, TraceParent, topics::GatewayEvent};
use serde_json::{Value, json};
use time::OffsetDateTime;
use twilight_model::id::marker::ChannelMarker;

use crate::{house::House, reconcile::left_opening};

/// What the sharder would write for this dispatch, the next one of its session.
pub(crate) fn event(house: &House, kind: &str, data: &Value) -> GatewayEvent {
    static SEQUENCE: AtomicU64 = AtomicU64::new(1);
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    GatewayEvent {
        bot: house.seed.application,
        shard: 0,
        session: "session".to_owned(),
        sequence,
        kind: kind.to_owned(),
        guild: Some(house.seed.guild),
        received_at: OffsetDateTime::now_utc(),
        trace: Some(TraceParent::derived("session", sequence)),
        payload: json!({"op": 0, "s": sequence, "t": kind, "d": data}).to_string().into(),
    }
}

pub(crate) async fn handle(house: &House, kind: &str, data: &Value) {
    worker::events::handle(&house.cx, &event(house, kind, data)).await.unwrap();
}

#[tokio::test]
async fn messages_of_a_ticket_are_captured_with_edits_and_deletions_and_no_others() {
    let house = House::furnished().await;
    let seed = house.seed;
    let ticket = house.opened().await;
    let channel = ticket.channel.unwrap();
    let mut frames = Vec::new();
    for (channel, text) in [(channel, "first"), (channel, "second"), (channel, "third"), (seed.general, "elsewhere")] {
        let id = house.sim.write(|state| state.say(channel, seed.member, text)).unwrap();
        frames.push(house.sim.read(|state| state.message_event_json(state.message(channel, id).unwrap())));
    }
    for frame in frames.iter().chain(&frames) {
        handle(&house, "MESSAGE_CREATE", frame).await;
    }
    let mut edit = frames[0].clone();
    edit["content"] = "first, edited".into();
    edit["edited_timestamp"] = "2099-01-01T00:00:00+00:00".into();
    handle(&house, "MESSAGE_UPDATE", &edit).await;
    // What came first comes again: the edit stays.
    handle(&house, "MESSAGE_CREATE", &frames[0]).await;
    let named = |frame: &Value| frame["id"].clone();
    let common = json!({"channel_id": channel, "guild_id": seed.guild});
    let mut one = common.clone();
    one["id"] = named(&frames[1]);
    handle(&house, "MESSAGE_DELETE", &one).await;
    let mut bulk = common;
    bulk["ids"] = json!([named(&frames[2]), "1"]);
    handle(&house, "MESSAGE_DELETE_BULK", &bulk).await;

    let kept = house.cx.db.messages().list(ticket.key).await.unwrap();
    let kept: Vec<_> = kept
        .iter()
        .map(|message| (message.content.as_str(), message.edited_at.is_some(), message.deleted_at.is_some()))
        .collect();
    assert_eq!(kept, [("first, edited", true, false), ("second", false, true), ("third", false, true)]);
    house.leave().await;
}

#[tokio::test]
async fn a_channel_deleted_by_hand_closes_its_ticket_with_a_transcript_and_frees_the_slot() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    let said = house.sim.write(|state| state.say(channel, seed.member, "hello")).unwrap();
    let frame = house.sim.read(|state| state.message_event_json(state.message(channel, said).unwrap()));
    handle(&house, "MESSAGE_CREATE", &frame).await;
    let gone = house.sim.read(|state| state.channel_json(&state.channels[&channel], None));
    house.sim.write(|state| state.remove_channel(channel));
    let requests = house.sim.read(|state| state.ledger.requests.len());

    handle(&house, "CHANNEL_DELETE", &gone).await;
    handle(&house, "CHANNEL_DELETE", &gone).await;
    let ticket = house.ticket_in(1, TicketState::Closed).await;
    assert_eq!(ticket.closed_by, None);
    assert_eq!(ticket.close_reason.as_deref(), Some("channel deleted by hand"));
    let (_, text) = house.transcripts().await.pop().unwrap();
    assert!(text.contains("    hello\n"), "{text}");
    let requests = house.sim.read(|state| state.ledger.requests.len()) - requests;
    assert_eq!(requests, 1, "only the notice: the channel is known to be gone");
    assert!(house.open_as(seed.member).await.starts_with("Ticket opened"));
    house.leave().await;
}

#[tokio::test]
async fn a_guild_that_comes_back_tells_which_channels_were_deleted_meanwhile() {
    let house = House::furnished().await;
    let seed = house.seed;
    let channel = house.opened().await.channel.unwrap();
    // A list from before the channel was made.
    handle(&house, "GUILD_CREATE", &json!({"id": seed.guild, "channels": []})).await;
    handle(&house, "GUILD_CREATE", &json!({"id": seed.guild, "unavailable": true})).await;
    assert_eq!(house.ticket(1).await.state, TicketState::Open);
    house.sim.write(|state| state.remove_channel(channel));
    let frame = json!({"id": seed.guild, "channels": [{"id": seed.general, "type": 0}], "members": []});
    handle(&house, "GUILD_CREATE", &frame).await;
    let ticket = house.ticket_in(1, TicketState::Closed).await;
    assert_eq!(ticket.close_reason.as_deref(), Some("channel deleted by hand"));
    house.leave().await;
}

#[tokio::test]
async fn a_channel_with_the_mark_of_a_ticket_that_has_another_is_given_back() {
    let house = House::furnished().await;
    let seed = house.seed;
    let ticket = house.opened().await;
    let own = house.sim.read(|state| state.channel_json(&state.channels[&ticket.channel.unwrap()], None));
    handle(&house, "CHANNEL_CREATE", &own).await;
    let second = house.sim.write(|state| {
        let id = state.add_channel(seed.guild, 0, "ticket-0001", None);
        state.channels.get_mut(&id).unwrap().topic = own["topic"].as_str().map(str::to_owned);
        state.channel_json(&state.channels[&id], None)
    });
    let ours: Vec<_> = house.ticket_channels().iter().map(|channel| channel.id).collect();
    assert_eq!(ours.len(), 2);
    // Who copies the channel of an old ticket by hand copies its mark.
    let mut copy = second.clone();
    let later = OffsetDateTime::now_utc() + time::Duration::minutes(11);
    copy["id"] = json!(worker::tickets::snowflake::first_id::<ChannelMarker>(later));
    let deletions = house.count("DELETE", "/channels/{channel_id}");
    handle(&house, "CHANNEL_CREATE", &copy).await;
    assert_eq!(house.count("DELETE", "/channels/{channel_id}"), deletions);

    handle(&house, "CHANNEL_CREATE", &second).await;
    let left: Vec<_> = house.ticket_channels().iter().map(|channel| channel.id).collect();
    assert_eq!(left, [ticket.channel.unwrap()]);
    house.leave().await;
}

#[tokio::test]
async fn a_channel_of_an_opening_is_known_to_the_row_and_its_deletion_gives_the_opening_up() {
    let house = House::furnished().await;
    let seed = house.seed;
    let ticket = left_opening(&house).await;
    let made = house.sim.write(|state| {
        let id = state.add_channel(seed.guild, 0, "ticket-0001", None);
        state.channels.get_mut(&id).unwrap().topic = Some(format!("x [{}]", ticket.nonce.simple()));
        state.channel_json(&state.channels[&id], None)
    });
    handle(&house, "CHANNEL_CREATE", &made).await;
    handle(&house, "CHANNEL_CREATE", &made).await;
    assert_eq!(json!(house.ticket(1).await.channel), made["id"]);
    handle(&house, "CHANNEL_DELETE", &made).await;
    assert_eq!(house.ticket(1).await.state, TicketState::Abandoned);
    assert!(house.open_as(seed.member).await.starts_with("Ticket opened"));
    house.leave().await;
}

#[tokio::test]
async fn an_event_of_another_bot_or_guild_changes_nothing() {
    let house = House::furnished().await;
    let ticket = house.opened().await;
    let channel = ticket.channel.unwrap();
    let gone = json!({"id": channel, "guild_id": house.seed.guild});
    let mut foreign = event(&house, "CHANNEL_DELETE", &gone);
    foreign.bot = twilight_model::id::Id::new(99);
    worker::events::handle(&house.cx, &foreign).await.unwrap();
    handle(&house, "CHANNEL_DELETE", &json!({"id": channel, "guild_id": "99"})).await;
    assert_eq!(house.ticket(1).await.state, TicketState::Open);
    house.leave().await;
}

#[tokio::test]
async fn an_event_that_does_not_parse_is_discarded_and_an_unknown_one_passed_over() {
    let house = House::new().await;
    assert!(worker::events::handle(&house.cx, &event(&house, "MESSAGE_CREATE", &json!({}))).await.is_err());
    handle(&house, "SOMETHING_NEW", &json!({"odd": true})).await;
    house.leave().await;
}
