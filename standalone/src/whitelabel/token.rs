//! A bot's token, as it comes in, and whose it is.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context, bail, ensure};
use common::{
    discord::{Discord, DiscordConfig},
    service::Service,
};
use global_resolver::config::Upstream;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use twilight_model::id::{Id, marker::ApplicationMarker};

use crate::gate;

/// A token with the bot that it belongs to.
pub(super) struct Known {
    pub(super) token: SecretString,
    pub(super) bot: Id<ApplicationMarker>,
    pub(super) name: String,
}

#[derive(Deserialize)]
struct User {
    id: Id<ApplicationMarker>,
    username: String,
    #[serde(default)]
    bot: bool,
}

/// The token of the variable, or the first line of standard input, without `Bot ` before it.
pub(super) fn read(variable: Option<SecretString>) -> anyhow::Result<SecretString> {
    let text = match variable {
        Some(token) => token,
        None => {
            let input = std::io::stdin();
            if input.is_terminal() {
                // Where nobody reads it nobody needs it.
                let _ = write!(std::io::stderr(), "The bot's token (it shows while you type): ");
            }
            let mut line = String::new();
            input.lock().read_line(&mut line).context("read the token from standard input")?;
            SecretString::from(line)
        }
    };
    let bare = text.expose_secret().trim();
    let bare = bare.strip_prefix("Bot ").unwrap_or(bare).trim();
    ensure!(!bare.is_empty(), "there is no token: set WHITELABEL_TOKEN, or write it to standard input");
    Ok(SecretString::from(bare))
}

/// Asks Discord whose token it is, through a gate of the command's own: the platform's may not be there, or not yet.
pub(super) async fn ask(upstream: Upstream, token: SecretString) -> anyhow::Result<Known> {
    let service = Service::unattended("whitelabel");
    let gate = gate::start(upstream, &service).await?;
    let known = ask_at(&gate, token).await;
    service.stop();
    service.finished().await?;
    known
}

async fn ask_at(gate: &DiscordConfig, token: SecretString) -> anyhow::Result<Known> {
    let discord = Discord::new(gate, token.clone()).context("the token is none: it has characters that none has")?;
    let user: User = match discord.get_json("users/@me").await {
        Ok(user) => user,
        Err(error) if error.status() == Some(401) => {
            bail!("Discord refuses this token: copy the current one from the bot's page in the developer portal")
        }
        Err(error) => return Err(anyhow::Error::from(error).context("ask Discord whose token it is")),
    };
    ensure!(user.bot, "this is the token of a person, {}, and not of a bot", user.id);
    Ok(Known { token, bot: user.id, name: user.username })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_without_what_stands_around_it() {
        for text in ["abc.def", " abc.def\n", "Bot abc.def", "Bot  abc.def\r\n"] {
            assert_eq!(read(Some(text.into())).unwrap().expose_secret(), "abc.def", "{text:?}");
        }
        assert!(read(Some(" \n".into())).is_err());
    }
}
