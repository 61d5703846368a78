use discord_sim::state::kind;
use e2e::{Interactions, World};
use model::TicketState;
use serde_json::json;

/// The owner of another guild with the same bot puts buttons with this guild's ids under a message of the bot there, and presses them.
#[tokio::test(flavor = "multi_thread")]
async fn another_guilds_ticket_cannot_be_touched() {
    let world = World::start(Interactions::ByHttp).await;
    let seed = world.seed;
    let panel = world.set_up().await;
    let channel = world.open(seed.member, &panel).await;
    let ticket =
        world.db().tickets().by_channel(seed.guild, channel).await.expect("a query").expect("the ticket's row");

    let (mallory, room, planted) = world.sim.write(|state| {
        let mallory = state.add_person("mallory", "Mallory", None);
        let guild = state.add_guild("Elsewhere", mallory);
        state.install(guild, seed.application);
        let room = state.add_channel(guild, kind::TEXT, "room", None);
        let planted = state.say(room, seed.application.cast(), "buttons").expect("a message");
        let number = ticket.key.number.0;
        let ids = [format!("t1:close-yes:{number}"), format!("t1:claim:{number}"), panel.1.clone()];
        let buttons: Vec<_> =
            ids.iter().map(|id| json!({ "type": 2, "style": 1, "label": "x", "custom_id": id })).collect();
        state.update_message(room, planted, |message| {
            message.components = vec![json!({ "type": 1, "components": buttons })];
        });
        (mallory, room, planted)
    });
    for custom_id in
        [format!("t1:close-yes:{}", ticket.key.number.0), format!("t1:claim:{}", ticket.key.number.0), panel.1.clone()]
    {
        let pressed = world.sim.click(mallory, room, planted, &custom_id).expect("the button can be pressed");
        let answered = world.sim.answered(pressed).await;
        assert!(!answered.failed, "a refusal is an answer");
    }
    let untouched = world.db().tickets().by_number(ticket.key).await.expect("a query").expect("the ticket's row");
    assert_eq!((untouched.state, untouched.claimed_by), (TicketState::Open, None));
    assert_eq!(world.ticket_channels().len(), 1, "no ticket was opened by a foreign panel");
    world.sim.read(|state| assert!(state.channels.contains_key(&channel)));
    world.finish().await;
}
