//! The command line of `whitelabel`.

use std::{io::Write, process::ExitCode};

use clap::Subcommand;
use common::config::{self, Env, FromEnv};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, UserMarker},
};

use super::{
    Config,
    config::{WithToken, WithVault},
    presence::Shown,
    work,
};
use crate::cli::USAGE;

/// Customers' own bots. Reads DATABASE_*, REDIS_*, and where it takes a token ENCRYPTION_KEYS and DISCORD_API_URL.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Adds a bot, which connects at once. Its token is read from WHITELABEL_TOKEN or standard input; Discord says whose
    /// it is.
    Add {
        /// The customer, who is told when Discord refuses the bot.
        #[arg(long, value_name = "USER")]
        owner: Id<UserMarker>,
        /// Does without the privileged intent Message Content; transcripts then lack texts.
        #[arg(long)]
        without_message_content: bool,
    },
    /// Gives the bot of a token this token in place of its old one. Read as for `add`.
    Token,
    /// Says what a bot's profile shows.
    Presence {
        /// The bot's id.
        bot: Id<ApplicationMarker>,
        /// What it shows.
        #[command(flatten)]
        shown: Shown,
    },
    /// Has a bot connected, also one that Discord refused.
    Enable {
        /// The bot's id.
        bot: Id<ApplicationMarker>,
        /// Whether it asks for the privileged intent Message Content, from its next session on.
        #[arg(long, value_name = "BOOL")]
        message_content: Option<bool>,
    },
    /// Has a bot disconnected and kept.
    Disable {
        /// The bot's id.
        bot: Id<ApplicationMarker>,
    },
    /// Forgets a bot and its token. Its tickets stay.
    Remove {
        /// The bot's id.
        bot: Id<ApplicationMarker>,
        /// Does it: without this nothing happens.
        #[arg(long)]
        yes: bool,
    },
    /// Every bot: what it is to do and what is known of it. No tokens.
    List {
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Seals every token with the first of ENCRYPTION_KEYS, after which the others are no longer needed.
    Reseal,
}

/// Runs the command.
///
/// Exit codes: 0 when it is done, 1 when it failed, 64 when the command line or the configuration is wrong.
pub fn run(command: Command) -> ExitCode {
    common::tls::install_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &error),
    };
    match command {
        Command::Add { owner, without_message_content } => {
            with(|config: WithToken| runtime.block_on(work::add(config, owner, !without_message_content)))
        }
        Command::Token => with(|config: WithToken| runtime.block_on(work::token(config))),
        Command::Presence { bot, shown } => {
            with(|config: Config| runtime.block_on(work::presence(&config, bot, shown.presence())))
        }
        Command::Enable { bot, message_content } => {
            with(|config: Config| runtime.block_on(work::enable(&config, bot, message_content)))
        }
        Command::Disable { bot } => with(|config: Config| runtime.block_on(work::disable(&config, bot))),
        Command::Remove { bot, yes: false } => fail(
            USAGE,
            &format_args!("bot {bot} and its token would be forgotten: say so with --yes, or use disable to keep it"),
        ),
        Command::Remove { bot, yes: true } => with(|config: Config| runtime.block_on(work::remove(&config, bot))),
        Command::List { json } => with(|config: Config| runtime.block_on(work::list(&config, json))),
        Command::Reseal => with(|config: WithVault| runtime.block_on(work::reseal(config))),
    }
}

fn with<C: FromEnv>(execute: impl FnOnce(C) -> anyhow::Result<()>) -> ExitCode {
    let config = match config::read(&mut Env::load()) {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    match execute(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format_args!("{error:#}")),
    }
}

fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    // Nobody is there to be told when this fails.
    let _ = writeln!(std::io::stderr(), "standalone whitelabel: {error}");
    ExitCode::from(code)
}
