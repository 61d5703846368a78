use e2e::{Interactions, World, missing_events};

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_lost_when_the_sharder_is_killed_amid_them() {
    let (world, mut sharder) = World::start_with_sharder_process(Interactions::ByHttp).await;
    let seed = world.seed;
    let panel = world.set_up().await;
    let channel = world.open(seed.member, &panel).await;
    let chatter = |from: u32, to: u32| {
        for number in from..to {
            world
                .sim
                .write(|state| state.say(channel, seed.member, &format!("message {number}")))
                .expect("a message can be sent");
        }
    };
    let ticket =
        world.db().tickets().by_channel(seed.guild, channel).await.expect("a query").expect("the ticket's row");
    let recorded = || async {
        let captured = world.db().messages().list(ticket.key).await.expect("a query");
        captured.iter().filter(|message| message.author == seed.member).count()
    };
    chatter(0, 200);
    // Some are through, some are under way, and some come while nobody listens.
    world.wait_for_db("the first messages", || async { (recorded().await >= 50).then_some(()) }).await;
    chatter(200, 400);
    sharder.kill().await;
    chatter(400, 800);
    sharder.restart();
    world.sim.wait_for("the RESUME", |state| (state.sessions.resumes == 1).then_some(())).await;
    chatter(800, 1000);

    world
        .wait_for_db("all messages in the ticket's record", || async { (recorded().await == 1000).then_some(()) })
        .await;
    let missing = missing_events(&world.sim, &world.kafka).await;
    assert!(missing.is_empty(), "{missing:#?}");
    assert_eq!(world.sim.read(|state| state.sessions.identifies.len()), 1, "the session was resumed, not begun anew");
    drop(sharder);
    world.finish().await;
}
