use discord_sim::state::{Acknowledgement, kind};
use e2e::{Interactions, World};
use model::{Ticket, TicketKey, TicketNumber, TicketState};
use serde_json::{Value, json};
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker, MessageMarker, UserMarker},
};

/// The guild of somebody else, with the same bot.
struct Elsewhere {
    mallory: Id<UserMarker>,
    guild: Id<GuildMarker>,
    room: Id<ChannelMarker>,
    lobby: Id<ChannelMarker>,
}

/// The owner of another guild with the same bot puts buttons with this guild's ids under a message of the bot there, and presses them;
/// alters a form of the bot to name this guild's ticket, and submits it; and types a command whose suggestions are this guild's words.
#[tokio::test(flavor = "multi_thread")]
async fn another_guilds_tickets_cannot_be_seen_or_touched() {
    let world = World::start(Interactions::ByHttp).await;
    let seed = world.seed;
    let panel = world.set_up().await;
    let closed = closed_with_a_reason(&world, &panel).await;
    let channel = world.open(seed.member, &panel).await;
    let ticket =
        world.db().tickets().by_channel(seed.guild, channel).await.expect("a query").expect("the ticket's row");
    let suggested = suggestions(&world, seed.admin, channel).await;
    assert_eq!(suggested, json!([{ "name": "Solved by Sam", "value": "Solved by Sam" }]), "there is something to see");

    let elsewhere = settle_elsewhere(&world).await;
    press_planted_buttons(&world, &elsewhere, &ticket, &panel.1).await;
    let own = open_elsewhere(&world, &elsewhere).await;
    assert_eq!(own.key.number, closed.key.number, "numbers of guilds are their own");
    let own_channel = own.channel.expect("its channel");
    assert_eq!(suggestions(&world, elsewhere.mallory, own_channel).await, json!([]));
    submit_altered_form(&world, &elsewhere, own_channel, &ticket).await;

    for before in [closed, ticket, own] {
        let after = world.db().tickets().by_number(before.key).await.expect("a query");
        assert_eq!(after.expect("the ticket's row"), before, "untouched");
    }
    let channels = world.ticket_channels();
    let here = channels.iter().filter(|channel| channel.guild_id == Some(seed.guild));
    assert_eq!(here.map(|channel| channel.id).collect::<Vec<_>>(), [channel], "no ticket was opened or closed here");
    world.finish().await;
}

/// Ticket 1 of this guild: opened, closed by the staff with a reason, gone.
async fn closed_with_a_reason(world: &World, panel: &(Id<MessageMarker>, String)) -> Ticket {
    let seed = world.seed;
    let channel = world.open(seed.member, panel).await;
    let reason = json!([{ "name": "reason", "type": 3, "value": "Solved by Sam" }]);
    let closing = world.sim.command(seed.staff, channel, "close", &reason).expect("the staff may use commands");
    world.sim.response(closing).await;
    let key = TicketKey { guild: seed.guild, number: TicketNumber(1) };
    world
        .wait_for_db("the closed ticket", async || {
            let ticket = world.db().tickets().by_number(key).await.expect("a query");
            ticket.filter(|ticket| ticket.state == TicketState::Closed)
        })
        .await
}

async fn settle_elsewhere(world: &World) -> Elsewhere {
    let application = world.seed.application;
    let elsewhere = world.sim.write(|state| {
        let mallory = state.add_person("mallory", "Mallory", None);
        let guild = state.add_guild("Elsewhere", mallory);
        state.install(guild, application);
        let [room, lobby] = ["room", "lobby"].map(|name| state.add_channel(guild, kind::TEXT, name, None));
        Elsewhere { mallory, guild, room, lobby }
    });
    let setup = world.sim.command(elsewhere.mallory, elsewhere.lobby, "setup", &json!([])).expect("the owner may");
    let done = world.sim.response(setup).await;
    assert_eq!(done.content.matches("made: ").count(), 4, "nothing of another guild is reused: {}", done.content);
    elsewhere
}

async fn press_planted_buttons(world: &World, elsewhere: &Elsewhere, ticket: &Ticket, foreign_panel: &str) {
    let number = ticket.key.number.0;
    let ids = [format!("t1:close-yes:{number}"), format!("t1:claim:{number}"), foreign_panel.to_owned()];
    let planted = world.sim.write(|state| {
        let planted =
            state.say(elsewhere.room, world.seed.application.cast(), "buttons").expect("a message of the bot");
        let buttons: Vec<_> =
            ids.iter().map(|id| json!({ "type": 2, "style": 1, "label": "x", "custom_id": id })).collect();
        state.update_message(elsewhere.room, planted, |message| {
            message.components = vec![json!({ "type": 1, "components": buttons })];
        });
        planted
    });
    for custom_id in &ids {
        let pressed =
            world.sim.click(elsewhere.mallory, elsewhere.room, planted, custom_id).expect("the button can be pressed");
        let answered = world.sim.answered(pressed).await;
        assert!(!answered.failed, "a refusal is an answer");
        shows_nothing_of(ticket, answered.acknowledged);
    }
}

/// A ticket of the other guild, so that its owner is given forms and suggestions at all.
async fn open_elsewhere(world: &World, elsewhere: &Elsewhere) -> Ticket {
    let pressed = world.press(elsewhere.mallory, elsewhere.lobby, "open").await;
    world.sim.response(pressed.id).await;
    let key = TicketKey { guild: elsewhere.guild, number: TicketNumber(1) };
    world
        .wait_for_db("the other guild's ticket", async || {
            let ticket = world.db().tickets().by_number(key).await.expect("a query");
            ticket.filter(|ticket| ticket.state == TicketState::Open)
        })
        .await
}

async fn submit_altered_form(world: &World, elsewhere: &Elsewhere, own_channel: Id<ChannelMarker>, ticket: &Ticket) {
    world.press(elsewhere.mallory, own_channel, "close").await;
    let form = world.press(elsewhere.mallory, own_channel, "close-reason").await;
    assert_eq!(form.acknowledged.as_ref().map(|answer| answer.kind), Some(9), "a form");
    world.sim.write(|state| {
        let form = state.interactions.get_mut(&form.id).and_then(|form| form.acknowledged.as_mut()).expect("the form");
        form.data["custom_id"] = json!(format!("t1:close-form:{}", ticket.key.number.0));
    });
    let submitted = world.sim.submit(form.id, &[("reason", "mine now")]).expect("the form can be submitted");
    let answered = world.sim.answered(submitted).await;
    assert!(!answered.failed, "a refusal is an answer");
    shows_nothing_of(ticket, answered.acknowledged);
    let refusal = world.sim.response(submitted).await;
    assert_eq!(refusal.content, "This button belongs to a ticket that is not in this channel.");
}

async fn suggestions(world: &World, user: Id<UserMarker>, channel: Id<ChannelMarker>) -> Value {
    let typing = json!([{ "name": "reason", "type": 3, "value": "so", "focused": true }]);
    let typed = world.sim.autocomplete(user, channel, "close", &typing).expect("the command can be typed");
    world.sim.answered(typed).await.acknowledged.expect("suggestions").data["choices"].clone()
}

#[track_caller]
fn shows_nothing_of(ticket: &Ticket, answer: Option<Acknowledgement>) {
    let shown = answer.expect("an answer").data.to_string();
    for id in [ticket.channel.expect("its channel").get(), ticket.opener.get()] {
        assert!(!shown.contains(&id.to_string()), "{shown}");
    }
}
