use anyhow::anyhow;
use serde::{Deserialize, de::DeserializeOwned};
use twilight_model::id::{Id, marker::ApplicationMarker};

use super::{Discord, Error};
use crate::service::Service;

/// Asks Discord while a service starts: again and again while there is no answer, and never against a refusal.
///
/// The dependency `discord` is down meanwhile.
///
/// # Errors
///
/// [`Stopped`](crate::service::Stopped) when the stop comes first; inside, what Discord refused for good.
pub async fn ask<T, F>(service: &Service, question: impl Fn() -> F) -> anyhow::Result<Result<T, Error>>
where
    F: Future<Output = Result<T, Error>>,
{
    let attempt = || async {
        match question().await {
            Err(error) if error.is_transient() => Err(anyhow::Error::from(error)),
            answered => Ok(answered),
        }
    };
    service.connect("discord", attempt).await
}

/// [Asks](ask) for the object at `path`. `token` names the variable of the bot's token, for whoever has to mend it.
///
/// # Errors
///
/// When Discord refuses, the answer cannot be read, or the stop comes first.
pub async fn ask_json<T: DeserializeOwned>(
    service: &Service,
    discord: &Discord,
    path: &str,
    token: &str,
) -> anyhow::Result<T> {
    ask(service, || discord.get_json(path)).await?.map_err(|error| explained(error, token))
}

/// [Asks](ask) which bot the token belongs to. `token` names its variable.
///
/// The id of a bot's user is the id of its application, save for bots made before 2016.
///
/// # Errors
///
/// When Discord refuses, the answer cannot be read, or the stop comes first.
pub async fn ask_own_id(service: &Service, discord: &Discord, token: &str) -> anyhow::Result<Id<ApplicationMarker>> {
    #[derive(Deserialize)]
    struct User {
        id: Id<ApplicationMarker>,
    }
    let user: User = ask_json(service, discord, "users/@me", token).await?;
    Ok(user.id)
}

/// A task for the life of a service that needs its token: fails when Discord refuses it. `token` names its variable.
///
/// # Errors
///
/// When Discord refuses the token.
pub async fn watch_token(service: Service, discord: Discord, token: &'static str) -> anyhow::Result<()> {
    match service.shutdown().run_until_cancelled(discord.token_refused()).await {
        Some(refusal) => Err(explained(refusal, token)),
        None => Ok(()),
    }
}

/// The error with what a person can do about it. `token` names the variable of the bot's token.
#[must_use]
pub fn explained(error: Error, token: &str) -> anyhow::Error {
    match error.status() {
        Some(401) => anyhow!(error).context(format!(
            "Discord refuses the bot's token: copy the current one from the bot's page in the developer portal into {token}"
        )),
        _ => anyhow!(error).context("ask Discord what the service cannot do without; are GLOBAL_RESOLVER_URL and, behind it, DISCORD_API_URL right?"),
    }
}
