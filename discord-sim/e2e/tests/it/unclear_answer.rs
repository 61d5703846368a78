use discord_sim::{RestFault, RestMatch};
use e2e::{Interactions, World};
use model::TicketState;

/// Discord makes the channel and answers 500: the bot cannot know, and must neither make a second channel nor forget the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_made_under_an_unclear_answer_is_adopted() {
    let world = World::start(Interactions::ByHttp).await;
    let seed = world.seed;
    let panel = world.set_up().await;
    let unclear = RestMatch { method: "POST", template: "/guilds/{guild_id}/channels", times: 1 };
    world.sim.write(|state| state.rest_faults.push((unclear, RestFault::FailAfterEffect)));
    let pressed = world.press_open(seed.member, &panel);
    world.sim.answered(pressed).await;
    let ticket = world
        .wait_for_db("the open ticket", || async {
            let open = world.db().tickets().list_open_by_opener(seed.guild, seed.member).await.expect("a query");
            open.into_iter().find(|ticket| ticket.state == TicketState::Open)
        })
        .await;
    let channels = world.ticket_channels();
    assert_eq!(channels.len(), 1, "{channels:#?}");
    assert_eq!(ticket.channel, Some(channels[0].id));
    world.finish().await;
}
