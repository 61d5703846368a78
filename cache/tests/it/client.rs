//! The client, with a Discord behind it that counts what it is asked.

use cache::client::Client;
use common::discord::{Discord, DiscordConfig};
use discord_sim::{Sim, seed::Seed};
use futures_util::future::join_all;
use prometheus::Registry;
use tokio::net::TcpListener;
use twilight_model::{
    channel::ChannelType,
    guild::Permissions,
    id::{Id, marker::ChannelMarker},
};

use crate::house::{House, Process, until};

/// A Discord with its seeded guild, of which the cache was never told.
struct Town {
    sim: Sim,
    seed: Seed,
    discord: Discord,
}

impl Town {
    async fn new() -> Town {
        common::tls::install_provider();
        let sim = Sim::start(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
        let seed = Seed::plant(&sim);
        let config = DiscordConfig { api_url: sim.api_url().parse().unwrap() };
        let discord = Discord::new(&config, seed.token(&sim).into()).unwrap();
        Town { sim, seed, discord }
    }

    fn client(&self, cache: &Process) -> Client {
        Client::new(&cache.client(), "test", self.seed.application, self.discord.clone()).unwrap()
    }

    fn client_without_a_cache(&self) -> Client {
        let nobody = cache::ClientConfig { uri: "http://127.0.0.1:9".parse().unwrap(), shared_key: None };
        Client::new(&nobody, "test", self.seed.application, self.discord.clone()).unwrap()
    }

    /// A public thread that the bot begins.
    async fn thread(&self) -> Id<ChannelMarker> {
        let new = self.discord.requests().create_thread(self.seed.support, "A thread", ChannelType::PublicThread);
        self.discord.call::<_, twilight_model::channel::Channel>(new).await.unwrap().id
    }

    /// How often Discord was asked so far.
    fn asked(&self) -> usize {
        self.sim.read(|state| state.ledger.requests.len())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cache_does_not_know_discord_is_asked_once_for_all() {
    let (house, town) = (House::new().await, Town::new().await);
    let process = house.process().await;
    process.ready().await;
    let (client, guild) = (town.client(&process), town.seed.guild);
    let answers = join_all((0..20).map(|_| client.channels(guild))).await;
    for answer in answers {
        assert!(answer.unwrap().unwrap().iter().any(|channel| channel.id == town.seed.support));
    }
    assert_eq!(town.asked(), 3, "the guild, its channels, its threads");

    // It was written back: nobody asks Discord any more, not for other lists either.
    until("the guild in the cache", async || {
        client.guild(guild).await.unwrap().is_some() && {
            let before = town.asked();
            client.roles(guild).await.unwrap().unwrap();
            town.asked() == before
        }
    })
    .await;
    let before = town.asked();
    assert!(!client.roles(guild).await.unwrap().unwrap().is_empty());
    assert!(client.emojis(guild).await.unwrap().unwrap().is_empty());
    assert_eq!(client.guild(guild).await.unwrap().unwrap().owner_id, Some(town.seed.admin));
    assert_eq!(town.asked(), before);

    // A member likewise.
    let answers = join_all((0..20).map(|_| client.member(guild, town.seed.member))).await;
    for answer in answers {
        assert_eq!(answer.unwrap().unwrap().id(), Some(town.seed.member));
    }
    assert_eq!(town.asked(), before + 1);
    until("the member in the cache", async || {
        let before = town.asked();
        client.member(guild, town.seed.member).await.unwrap().unwrap();
        town.asked() == before
    })
    .await;
    let before = town.asked();
    let permissions = client.permissions(guild, town.seed.support, town.seed.member).await.unwrap().unwrap();
    let wanted = town.sim.read(|state| state.permissions_in(town.seed.support, town.seed.member));
    assert_eq!(permissions & Permissions::SEND_MESSAGES, wanted & Permissions::SEND_MESSAGES);
    assert_eq!(town.asked(), before);
    assert!(town.sim.read(|state| state.ledger.violations.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cache_discord_is_asked() {
    let town = Town::new().await;
    let (client, guild) = (town.client_without_a_cache(), town.seed.guild);
    assert!(!client.channels(guild).await.unwrap().unwrap().is_empty());
    assert_eq!(town.asked(), 1, "only for what is asked");
    let wanted = town.sim.read(|state| state.permissions_in(town.seed.support, town.seed.staff));
    assert_eq!(client.permissions(guild, town.seed.support, town.seed.staff).await.unwrap(), Some(wanted));
    let stranger = Id::new(12345);
    assert_eq!(client.member(guild, stranger).await.unwrap(), None, "Discord says that this is no member");
    assert_eq!(client.channels(Id::new(54321)).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_the_cache_lacks_has_its_channels_permissions() {
    let town = Town::new().await;
    let (client, guild) = (town.client_without_a_cache(), town.seed.guild);
    let thread = town.thread().await;
    for user in [town.seed.member, town.seed.staff] {
        let [wanted, outside] =
            [thread, town.seed.support].map(|channel| town.sim.read(|state| state.permissions_in(channel, user)));
        assert_eq!(client.permissions(guild, thread, user).await.unwrap(), Some(wanted));
        assert_eq!(client.permissions(guild, town.seed.support, user).await.unwrap(), Some(outside));
    }
    let elsewhere = town.sim.write(|state| {
        let guild = state.add_guild("Elsewhere", town.seed.admin);
        state.install(guild, town.seed.application);
        guild
    });
    assert_eq!(client.permissions(elsewhere, thread, town.seed.admin).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_the_cache_alone_does_not_ask_discord() {
    let (house, town) = (House::new().await, Town::new().await);
    let process = house.process().await;
    process.ready().await;
    let (client, registry) = (town.client(&process), Registry::new());
    client.register_metrics(&registry).unwrap();
    assert_eq!(client.channels_if_known(town.seed.guild).await, None);
    assert_eq!(town.asked(), 0);
    let answered = |who| registry.gather()[0].get_metric().iter().any(|metric| metric.get_label()[0].value() == who);
    assert!(answered("nobody") && !answered("discord"));
}
