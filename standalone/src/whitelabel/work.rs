//! What the commands do: write Postgres, then wake the sharder.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what was done is told to whoever asked for it")]

use std::num::NonZeroU32;

use anyhow::{Context, ensure};
use database::{Database, NewWhitelabelBot, Unreadable};
use model::Presence;
use sharder::whitelabel::{SIGNAL, announce};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, UserMarker},
};

use super::{
    Config,
    config::{WithToken, WithVault},
    list as lists, token as tokens,
};

type Bot = Id<ApplicationMarker>;

pub(super) async fn add(with: WithToken, owner: Id<UserMarker>, message_content: bool) -> anyhow::Result<()> {
    let known = tokens::ask(with.discord, tokens::read(with.token)?).await?;
    let new = NewWhitelabelBot { bot: known.bot, owner, token: known.token, message_content };
    let db = connect(&with.config).await?;
    let added = db.whitelabel_bots().insert(&with.vault, &new).await?;
    ensure!(added, "bot {} ({}) is there already: `token` gives it another token", known.bot, known.name);
    println!("bot {} ({}) is added and connects", known.bot, known.name);
    wake(&with.config, known.bot).await;
    Ok(())
}

pub(super) async fn token(with: WithToken) -> anyhow::Result<()> {
    let known = tokens::ask(with.discord, tokens::read(with.token)?).await?;
    let db = connect(&with.config).await?;
    let set = db.whitelabel_bots().set_token(&with.vault, known.bot, &known.token).await?;
    ensure!(set.is_some(), "there is no bot {} ({}) yet: `add` adds it", known.bot, known.name);
    println!("bot {} ({}) has this token now", known.bot, known.name);
    wake(&with.config, known.bot).await;
    Ok(())
}

pub(super) async fn presence(config: &Config, bot: Bot, presence: Option<Presence>) -> anyhow::Result<()> {
    if let Some(presence) = &presence {
        sharder::whitelabel::presence(presence)?;
    }
    let done = connect(config).await?.whitelabel_bots().set_presence(bot, presence.as_ref()).await?;
    let shows = presence.map_or_else(|| "nothing".to_owned(), |presence| presence.to_string());
    settle(config, bot, done, &format!("shows {shows}")).await
}

pub(super) async fn enable(config: &Config, bot: Bot, message_content: Option<bool>) -> anyhow::Result<()> {
    let done = connect(config).await?.whitelabel_bots().enable(bot, message_content).await?;
    settle(config, bot, done, "is enabled and connects").await
}

pub(super) async fn disable(config: &Config, bot: Bot) -> anyhow::Result<()> {
    let done = connect(config).await?.whitelabel_bots().disable(bot).await?;
    settle(config, bot, done, "is disabled and disconnects").await
}

pub(super) async fn remove(config: &Config, bot: Bot) -> anyhow::Result<()> {
    let done = connect(config).await?.whitelabel_bots().delete(bot).await?;
    settle(config, bot, done, "is forgotten and disconnects").await
}

pub(super) async fn list(config: &Config, json: bool) -> anyhow::Result<()> {
    lists::list(&connect(config).await?, json).await
}

pub(super) async fn reseal(with: WithVault) -> anyhow::Result<()> {
    let db = connect(&with.config).await?;
    let (mut sealed, mut failed) = (0, 0);
    for row in db.whitelabel_bots().list_part(0, NonZeroU32::MIN).await? {
        let row = match row {
            Ok(row) => row,
            Err(Unreadable { error, .. }) => {
                failed += 1;
                eprintln!("standalone whitelabel: {error}");
                continue;
            }
        };
        if row.token.key() == Some(with.vault.sealing_key()) {
            continue;
        }
        match row.token.open(&with.vault) {
            // A token that was changed meanwhile was sealed with the first key by whoever changed it.
            Ok(token) => sealed += u32::from(db.whitelabel_bots().reseal(&with.vault, &row, &token).await?),
            Err(error) => {
                failed += 1;
                eprintln!("standalone whitelabel: {error}");
            }
        }
    }
    println!("{sealed} tokens are sealed with key {} now", with.vault.sealing_key());
    ensure!(failed == 0, "{failed} tokens cannot be opened and stay as they are");
    Ok(())
}

async fn settle(config: &Config, bot: Bot, done: bool, what: &str) -> anyhow::Result<()> {
    ensure!(done, "there is no bot {bot}: `list` shows them");
    println!("bot {bot} {what}");
    wake(config, bot).await;
    Ok(())
}

async fn connect(config: &Config) -> anyhow::Result<Database> {
    let db = Database::connect(&config.database).await?;
    // The first command may come before any service.
    db.migrate().await.context("migrate the ticket database")?;
    Ok(db)
}

/// It is done already, so a Redis that is away only delays it.
async fn wake(config: &Config, bot: Bot) {
    let pool = common::redis::connect(&config.redis);
    if let Err(error) = announce(&pool, SIGNAL, bot).await {
        eprintln!("standalone whitelabel: the sharder was not woken and sees it within 30 s: {error}");
    }
}
