use discord_sim::state::{Message, State};
use e2e::{Interactions, World, missing_events};
use model::{TicketNumber, TicketState};
use twilight_model::{
    guild::Permissions,
    id::{Id, marker::ChannelMarker},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_lives_and_leaves_a_transcript_over_http() {
    live(Interactions::ByHttp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_lives_and_leaves_a_transcript_over_the_gateway() {
    live(Interactions::ByGateway).await;
}

async fn live(interactions: Interactions) {
    let world = World::start(interactions).await;
    let seed = world.seed;
    let panel = world.set_up().await;

    let channel = world.open(seed.member, &panel).await;
    world.sim.read(|state| {
        let of = |user| state.permissions_in(channel, user);
        assert!(of(seed.member).contains(Permissions::VIEW_CHANNEL | Permissions::SEND_MESSAGES), "the opener writes");
        assert!(of(seed.staff).contains(Permissions::VIEW_CHANNEL | Permissions::SEND_MESSAGES), "the staff writes");
        assert!(of(seed.other_member).is_empty(), "others see nothing");
    });

    for (user, text) in [
        (seed.member, "My save is gone \u{2603}"),
        (seed.staff, "Which platform?"),
        (seed.member, "PC, <b>build 7</b>"),
    ] {
        world.sim.write(|state| state.say(channel, user, text)).expect("a message can be sent");
    }
    let (edited, deleted) = world.sim.write(|state| {
        let edited = state.say(channel, seed.staff, "first thoughts").expect("a message can be sent");
        let deleted = state.say(channel, seed.member, "my password is hunter2").expect("a message can be sent");
        (edited, deleted)
    });
    world.press(seed.staff, channel, "claim").await;
    let ticket =
        world.db().tickets().by_channel(seed.guild, channel).await.expect("a query").expect("the ticket's row");
    assert_eq!((ticket.key.number, ticket.opener, ticket.claimed_by), (TicketNumber(1), seed.member, Some(seed.staff)));
    world
        .wait_for_db("the messages", || async {
            let captured = world.db().messages().list(ticket.key).await.expect("a query");
            (captured.iter().filter(|message| message.author == seed.member || message.author == seed.staff).count()
                == 5)
                .then_some(())
        })
        .await;
    world.sim.write(|state| {
        let now = state.now();
        state.update_message(channel, edited, |message| {
            message.content = "second thoughts".into();
            message.edited_at = Some(now);
        });
        state.remove_message(channel, deleted);
    });
    world
        .wait_for_db("the deletion", || async {
            let captured = world.db().messages().list(ticket.key).await.expect("a query");
            captured.iter().any(|message| message.id == deleted && message.deleted_at.is_some()).then_some(())
        })
        .await;

    world.press(seed.member, channel, "close").await;
    world.press(seed.member, channel, "close-yes").await;
    world.sim.wait_for("the channel's end", |state| (!state.channels.contains_key(&channel)).then_some(())).await;
    let (notice, text) = world.sim.wait_for("the transcript", transcript).await;
    for piece in [
        "My save is gone \u{2603}",
        "Which platform?",
        "PC, <b>build 7</b>",
        "second thoughts",
        "hunter2",
        "[edited",
        "[deleted",
    ] {
        assert!(text.contains(piece), "{piece} is missing in:\n{text}");
    }
    assert!(
        !world.sim.read(|state| state.can_view(&state.channels[&notice], seed.member)),
        "members do not read the transcripts' channel"
    );
    world
        .wait_for_db("the closed row", || async {
            let ticket = world.db().tickets().by_number(ticket.key).await.expect("a query").expect("the ticket's row");
            (ticket.state == TicketState::Closed).then_some(())
        })
        .await;
    let kinds: Vec<String> = world
        .db()
        .events()
        .list(ticket.key)
        .await
        .expect("a query")
        .iter()
        .map(|event| event.event.kind().to_owned())
        .collect();
    assert_eq!(kinds.first().map(String::as_str), Some("opened"), "{kinds:?}");
    assert_eq!(kinds.last().map(String::as_str), Some("closed"), "{kinds:?}");

    let missing = missing_events(&world.sim, &world.kafka).await;
    assert!(missing.is_empty(), "{missing:#?}");
    world.finish().await;
}

/// The text file that a notice carries, and the notice's channel.
fn transcript(state: &State) -> Option<(Id<ChannelMarker>, String)> {
    let messages = state.messages.values().flat_map(|messages| messages.values());
    let with_file = messages.filter_map(|message: &Message| Some((message.channel_id, message.attachments.first()?)));
    let (channel, attachment) = with_file.max_by_key(|(_, attachment)| attachment.id)?;
    let (_, bytes) = state.files.get(&attachment.id)?;
    Some((channel, String::from_utf8_lossy(bytes).into_owned()))
}
