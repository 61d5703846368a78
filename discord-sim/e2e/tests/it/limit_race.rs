use e2e::{Interactions, World};

#[tokio::test(flavor = "multi_thread")]
async fn racing_clicks_of_two_members_open_one_ticket_each() {
    let world = World::start(Interactions::ByHttp).await;
    let panel = world.set_up().await;
    let (mia, noah) = (world.seed.member, world.seed.other_member);
    let clicks: Vec<_> = (0..8).flat_map(|_| [mia, noah]).map(|user| (user, world.press_open(user, &panel))).collect();
    for (_, click) in &clicks {
        world.sim.response(*click).await;
    }
    let channels = world.ticket_channels();
    assert_eq!(channels.len(), 2, "{channels:#?}");
    for user in [mia, noah] {
        let own = channels
            .iter()
            .filter(|channel| channel.overwrites.iter().any(|overwrite| overwrite.id == user.cast()))
            .count();
        assert_eq!(own, 1, "a limit of one holds");
        let open = world.db().tickets().list_open_by_opener(world.seed.guild, user).await.expect("a query");
        assert_eq!(open.len(), 1);
    }
    world.finish().await;
}
