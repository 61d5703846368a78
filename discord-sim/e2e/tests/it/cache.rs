use discord_sim::{
    Sim,
    seed::Seed,
    state::{State, kind},
};
use e2e::{Ground, Interactions, World, cache_differences, wait::wait_for};
use serde_json::json;
use twilight_model::guild::Permissions;

const PATIENCE: std::time::Duration = discord_sim::sim::PATIENCE;

/// Changes what Discord has, and tells nobody.
type Wrong = fn(&mut State, &Seed);

/// A guild's owner at work: each kind of thing is made, changed and deleted.
fn remodel(sim: &Sim, seed: &Seed, round: usize) {
    sim.write(|state| {
        let guild = seed.guild;
        let category = state.add_channel(guild, kind::CATEGORY, &format!("wing-{round}"), None);
        let kept = state.add_channel(guild, kind::TEXT, &format!("room-{round}"), Some(category));
        let gone = state.add_channel(guild, kind::VOICE, &format!("hall-{round}"), Some(category));
        if let Some(channel) = state.channels.get_mut(&kept) {
            channel.topic = Some(format!("Everything about room {round}, and nothing else \u{2603}"));
            channel.nsfw = true;
        }
        state.channel_changed(kept);
        state.remove_channel(gone);
        let role = state.add_role(guild, &format!("guest-{round}"), Permissions::VIEW_CHANNEL, false, None);
        state.give_role(guild, seed.member, role);
        let person = state.add_person(&format!("guest{round}"), "Guest", None);
        state.add_member(guild, person);
        if round % 2 == 1 {
            state.remove_member(guild, person);
        }
        // Members ride in what they write.
        let _ = state.say(seed.general, seed.member, "hello");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_knows_what_discord_has_through_an_outage_a_leave_and_a_new_session() {
    let world = World::start(Interactions::ByHttp).await;
    let (sim, seed) = (&world.sim, world.seed);
    let second = sim.write(|state| {
        let guild = state.add_guild("Second", seed.admin);
        state.install(guild, seed.application);
        guild
    });
    for round in 0..4 {
        remodel(sim, &seed, round);
    }
    world.cache_comes_right(PATIENCE).await.expect("it follows");

    // An outage is not a leave: what is known stays, and the guild counts.
    sim.write(|state| state.set_unavailable(seed.guild, true));
    world.cache_comes_right(PATIENCE).await.expect("it knows of the outage");
    let kept: serde_json::Value = ask(&world, &format!("guilds/{}/channels", seed.guild)).await.expect("they are kept");
    assert!(kept.as_array().is_some_and(|channels| channels.len() > 4), "{kept}");
    sim.write(|state| state.set_unavailable(seed.guild, false));
    world.cache_comes_right(PATIENCE).await.expect("it knows that it is over");

    // The bot is removed, and invited again.
    sim.write(|state| state.remove_member(second, seed.application.cast()));
    wait_for("the guild to be forgotten", async || {
        ask(&world, &format!("guilds/{second}")).await.is_none().then_some(())
    })
    .await;
    sim.write(|state| state.install(second, seed.application));
    world.cache_comes_right(PATIENCE).await.expect("it knows the guild again");

    // What vanishes while nobody listens is told by no event: a new session must find out.
    let sessions = sim.read(|state| state.ledger.identifies.len());
    sim.write(|state| {
        state.sessions.invalidate_bots(false);
        let channel = state.guild_channels(seed.guild).iter().map(|channel| channel.id).max();
        state.channels.remove(&channel.expect("a channel"));
        let guild = state.guilds.get_mut(&seed.guild).expect("the guild");
        guild.name = "Renamed".to_owned();
        let role = guild.roles.values().find(|role| role.name.starts_with("guest")).map(|role| role.id);
        guild.roles.remove(&role.expect("a role"));
        let guild = state.guilds.get_mut(&second).expect("the other guild");
        guild.members.remove(&seed.application.cast());
    });
    sim.wait_for("a new session", |state| (state.ledger.identifies.len() > sessions).then_some(())).await;
    world.cache_comes_right(PATIENCE).await.expect("it knows what vanished");
    assert!(ask(&world, &format!("guilds/{second}")).await.is_none(), "nobody said that the bot is in this guild");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rest_read_is_made_that_the_cache_could_answer() {
    let world = World::start(Interactions::ByHttp).await;
    let seed = world.seed;
    world.cache_comes_right(PATIENCE).await.expect("the guild is known before the first command");
    let panel = world.set_up().await;
    let channel = world.open(seed.member, &panel).await;
    world.cache_comes_right(PATIENCE).await.expect("the ticket's channel is known");
    // Once more, at the limit.
    let pressed = world.press_open(seed.member, &panel);
    world.sim.response(pressed).await;
    world.press(seed.staff, channel, "claim").await;
    // Once more `/setup`, which finds everything.
    let again = world.sim.command(seed.admin, seed.support, "setup", &json!([])).expect("/setup is offered");
    world.sim.response(again).await;
    world.press(seed.member, channel, "close").await;
    world.press(seed.member, channel, "close-yes").await;
    world.sim.wait_for("the channel's end", |state| (!state.channels.contains_key(&channel)).then_some(())).await;

    let reads: Vec<String> = world.sim.read(|state| {
        let requests = state.ledger.requests.iter();
        requests.filter(|request| request.method == "GET").filter_map(|request| request.template.clone()).collect()
    });
    for cached in [
        "/guilds/{guild_id}",
        "/guilds/{guild_id}/channels",
        "/guilds/{guild_id}/roles",
        "/guilds/{guild_id}/emojis",
        "/guilds/{guild_id}/members/{user_id}",
        "/guilds/{guild_id}/threads/active",
        "/channels/{channel_id}",
    ] {
        assert!(!reads.iter().any(|read| read == cached), "{cached} was read: {reads:?}");
    }
    // The others are of what nobody caches: messages, commands, the application itself.
    assert!(!reads.is_empty());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_shows_how_many_guilds_there_are() {
    let world = World::whole_on(Ground::lay().await.with_stats_channel(), Interactions::ByHttp).await;
    let (sim, seed) = (&world.sim, world.seed);
    let shows = async |name: &str| {
        let shown = |state: &State| state.channels.values().any(|channel| channel.name == name).then_some(());
        sim.wait_for(name, shown).await;
    };
    shows("Servers: 1").await;
    let second = sim.write(|state| {
        let guild = state.add_guild("Second", seed.admin);
        state.install(guild, seed.application);
        guild
    });
    shows("Servers: 2").await;
    // An outage is not a leave; and a third change would be one too many in ten minutes.
    sim.write(|state| state.set_unavailable(second, true));
    world.cache_comes_right(PATIENCE).await.expect("it knows of the outage");
    sim.write(|state| state.remove_member(second, seed.application.cast()));
    world.cache_comes_right(PATIENCE).await.expect("it knows that the bot left");
    shows("Servers: 2").await;
    let renames = sim.read(|state| {
        let requests = state.ledger.requests.iter();
        requests.filter(|request| request.method == "PATCH" && request.path.starts_with("/channels/")).count()
    });
    assert_eq!(renames, 2);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_cache_has_otherwise_than_discord_is_found() {
    let world = World::start(Interactions::ByHttp).await;
    let (sim, seed) = (&world.sim, world.seed);
    remodel(sim, &seed, 0);
    world.cache_comes_right(PATIENCE).await.expect("it follows");
    // What Discord tells nobody makes the cache wrong.
    let wrongs: [(&str, Wrong); 7] = [
        ("itself is", |state, seed| {
            state.guilds.get_mut(&seed.guild).expect("the guild").name = "Secretly renamed".to_owned();
        }),
        ("lacks channel", |state, seed| {
            state.channels.get_mut(&seed.general).expect("the channel").topic = Some("A secret".to_owned());
        }),
        ("it has channel", |state, seed| drop(state.channels.remove(&seed.support))),
        ("lacks role", |state, seed| {
            let guild = state.guilds.get_mut(&seed.guild).expect("the guild");
            let role = guild.roles.values_mut().find(|role| role.name.starts_with("guest")).expect("a role");
            role.permissions = Permissions::empty();
        }),
        ("a member is", |state, seed| {
            let guild = state.guilds.get_mut(&seed.guild).expect("the guild");
            guild.members.get_mut(&seed.member).expect("the member").nick = Some("Nobody".to_owned());
        }),
        ("it takes guild", |state, seed| state.guilds.get_mut(&seed.guild).expect("the guild").unavailable = true),
        ("it counts 1 guilds, not 0", |state, seed| {
            state.guilds.get_mut(&seed.guild).expect("the guild").members.remove(&seed.application.cast());
        }),
    ];
    for (difference, wrong) in wrongs {
        sim.write(|state| wrong(state, &seed));
        let found = cache_differences(sim, seed.application, &world.cache).await.expect("an answer");
        assert!(found.iter().any(|found| found.contains(difference)), "{difference}: {found:#?}");
    }
    assert!(world.stop().await.is_ok());
    world.leave().await;
}

/// What the world's cache answers, or `None` where it does not know.
async fn ask(world: &World, path: &str) -> Option<serde_json::Value> {
    let key = world.cache.shared_key.as_ref().expect("the process's own key");
    let bearer = common::http::shared_key::bearer(key).expect("a header");
    let request = reqwest::Client::new().get(format!("{}{path}", world.cache.uri)).header("authorization", bearer);
    let response = request.send().await.expect("an answer");
    if response.status().as_u16() == 404 {
        return None;
    }
    Some(response.error_for_status().expect("the cache is right").json().await.expect("JSON"))
}
