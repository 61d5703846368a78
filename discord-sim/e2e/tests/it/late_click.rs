use std::time::Duration;

use discord_sim::{RestFault, RestMatch};
use e2e::{Interactions, World};

/// Discord takes longer to make the channel than a click may wait: the gateway defers, and the click comes a second time over Kafka
/// while the worker still works on the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_click_is_answered_by_follow_up_and_opens_one_ticket() {
    let world = World::start(Interactions::ByHttp).await;
    let panel = world.set_up().await;
    let slow = RestMatch { method: "POST", template: "/guilds/{guild_id}/channels", times: 1 };
    world.sim.write(|state| state.rest_faults.push((slow, RestFault::Delay(Duration::from_millis(2_600)))));

    let pressed = world.press_open(world.seed.member, &panel);
    let answered = world.sim.answered(pressed).await;
    assert_eq!(answered.acknowledged.map(|answer| answer.kind), Some(5), "deferred in time");
    let response = world.sim.response(pressed).await;
    let channels = world.ticket_channels();
    assert_eq!(channels.len(), 1, "{channels:#?}");
    assert!(response.content.contains(&format!("<#{}>", channels[0].id)), "{}", response.content);
    let open = world.db().tickets().list_open_by_opener(world.seed.guild, world.seed.member).await.expect("a query");
    assert_eq!(open.len(), 1);
    world.finish().await;
}

/// The worker's database goes away under it and comes back: the click waits on Kafka meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_click_during_an_outage_of_the_database_opens_its_ticket_afterwards() {
    let (world, [postgres, redis, kafka], _) = World::start_behind_doors().await;
    for door in [&postgres, &redis, &kafka] {
        door.open();
    }
    world.ready(Interactions::ByHttp).await;
    let panel = world.set_up().await;
    postgres.shut();

    let pressed = world.press_open(world.seed.member, &panel);
    let answered = world.sim.answered(pressed).await;
    assert_eq!(answered.acknowledged.map(|answer| answer.kind), Some(5), "deferred in time");
    postgres.open();
    let response = world.sim.response(pressed).await;
    let channels = world.ticket_channels();
    assert_eq!(channels.len(), 1, "{channels:#?}");
    assert!(response.content.contains(&format!("<#{}>", channels[0].id)), "{}", response.content);
    world.finish().await;
}
