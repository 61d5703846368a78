//! From an interaction to a reply: look up → guards → run → reply or refusal → one log line.
//!
//! The three ways by which interactions come (see [`answer`](crate::answer)) meet here.

use std::time::Instant;

use model::{CustomId, GuildSettings, Level};
use tracing::{error, info};
use twilight_model::{
    guild::Permissions,
    id::{Id, marker::InteractionMarker},
};
use uuid::Uuid;

use crate::{
    action::{Action, Actor, Invocation, Place, Run, Scope},
    commands, components,
    context::Context,
    error::CommandError,
    interaction::{Interaction, Kind, Member},
    modals,
    reply::Reply,
    text::text,
};

/// What an interaction asks for.
#[derive(Clone, Copy)]
pub struct Found {
    /// The declaration that is enforced.
    pub action: &'static Action,
    /// The pressed button or submitted form.
    pub custom_id: Option<CustomId>,
    run: Run,
    autocomplete: bool,
}

impl Found {
    /// Whether "the answer comes later" must be said at once.
    #[must_use]
    pub fn defers(&self) -> bool {
        self.action.defer && !self.autocomplete
    }
}

/// Looks the interaction up among all commands, buttons and forms.
#[must_use]
pub fn find(interaction: &Interaction) -> Option<Found> {
    let (action, custom_id) = match interaction.kind() {
        Kind::Command(name) => (&commands::find(name)?.action, None),
        Kind::Autocomplete(name) => {
            let command = commands::find(name)?;
            return Some(Found {
                action: &command.action,
                custom_id: None,
                run: command.complete?,
                autocomplete: true,
            });
        }
        Kind::Component(id) => {
            let id = CustomId::parse(id)?;
            (components::find(id)?, Some(id))
        }
        Kind::Modal(id) => {
            let id = CustomId::parse(id)?;
            (modals::find(id)?, Some(id))
        }
        Kind::Ping | Kind::Unknown => return None,
    };
    Some(Found { action, custom_id, run: action.run, autocomplete: false })
}

/// An interaction that had neither an ordinary answer nor a refusal.
#[derive(Debug, thiserror::Error)]
#[error("failure {id}")]
pub struct Failed {
    id: String,
    interaction: Id<InteractionMarker>,
    #[source]
    chain: anyhow::Error,
}

impl Failed {
    /// Whether the same may go well in a moment: the database was away.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let mut causes = self.chain.chain();
        causes.any(|cause| cause.downcast_ref::<database::Error>().is_some_and(database::Error::is_transient))
    }

    /// The answer where nobody tries again. The log gets the chain under the id that the person is given.
    #[must_use]
    pub fn apology(self) -> Reply {
        let Failed { id, interaction, chain } = self;
        error!(failure.id = id, interaction.id = %interaction, "failure {id}: {chain:#}");
        Reply::text(&text("internal-error").with("id", id))
    }
}

/// Runs what the interaction asks for. Refusals and our own failures are replies too.
pub async fn dispatch(cx: &Context, interaction: &Interaction, way: &'static str) -> Reply {
    attempt(cx, interaction, way).await.unwrap_or_else(Failed::apology)
}

/// As [`dispatch`], for those who can try again.
///
/// # Errors
///
/// [`Failed`].
pub async fn attempt(cx: &Context, interaction: &Interaction, way: &'static str) -> Result<Reply, Failed> {
    let began = Instant::now();
    let found = find(interaction);
    let outcome = match found {
        Some(found) => run(cx, interaction, &found).await,
        None => Err(text("refused-unknown").into()),
    };
    let mut failure_id = None;
    let (result, reply) = match outcome {
        Ok(reply) => ("ok", Ok(reply)),
        Err(CommandError::Refused(refusal)) => ("refused", Ok(Reply::text(&refusal.text))),
        Err(CommandError::Internal(chain)) => {
            let id = Uuid::new_v4().simple().to_string();
            failure_id = Some(id.clone());
            ("failed", Err(Failed { id, interaction: interaction.id, chain }))
        }
    };
    // Suggestions have no place for a refusal, and are out of date before anybody could try again.
    let reply = match (interaction.kind(), reply) {
        (Kind::Autocomplete(_), Ok(reply @ Reply::Choices(_))) => Ok(reply),
        (Kind::Autocomplete(_), reply) => {
            let _logged = reply.map_err(Failed::apology);
            Ok(Reply::Choices(Vec::new()))
        }
        (_, reply) => reply,
    };
    let name = found.map_or("unknown", |found| found.action.name);
    info!(
        interaction.id = %interaction.id,
        interaction.kind = interaction.kind().as_str(),
        action = name,
        way,
        guild.id = interaction.guild_id.map(tracing::field::display),
        failure.id = failure_id,
        elapsed_ms = began.elapsed().as_millis(),
        "{name} by {way}: {result}"
    );
    reply
}

async fn run(cx: &Context, interaction: &Interaction, found: &Found) -> Result<Reply, CommandError> {
    let user = interaction.user().ok_or_else(|| text("refused-unknown"))?;
    let guild = match (interaction.guild_id, interaction.member()) {
        (Some(guild), Some(member)) => {
            let settings = cx.db.settings().by_guild(guild).await?;
            Some((member, Scope { guild, settings }))
        }
        _ if found.action.place == Place::Guild => {
            return Err(text("refused-outside-guild").into());
        }
        _ => None,
    };
    let level = guild.as_ref().map_or(Level::Everyone, |(member, scope)| level_of(member, &scope.settings));
    match found.action.level {
        needed if level >= needed => {}
        Level::Admin => return Err(text("refused-admin-only").into()),
        _ => return Err(text("refused-staff-only").into()),
    }
    let own = guild.as_ref().map(|(_, scope)| cx.for_guild(scope.guild));
    let invocation = Invocation {
        interaction,
        actor: Actor { user, level },
        guild: guild.map(|(_, scope)| scope),
        custom_id: found.custom_id,
    };
    (found.run)(own.as_ref().unwrap_or(cx), &invocation).await
}

/// What a member may do. Discord gives the guild's owner every permission, Administrator included.
fn level_of(member: &Member, settings: &GuildSettings) -> Level {
    if member.permissions.contains(Permissions::ADMINISTRATOR) {
        Level::Admin
    } else if settings.staff_role.is_some_and(|role| member.roles.contains(&role)) {
        Level::Support
    } else {
        Level::Everyone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn member(roles: &[&str], permissions: Permissions) -> Member {
        serde_json::from_value(json!({
            "user": {"id": "7"}, "roles": roles, "permissions": permissions.bits().to_string(),
        }))
        .unwrap()
    }

    #[test]
    fn levels_come_from_the_administrator_bit_and_the_staff_role() {
        let mut settings = GuildSettings::unset(Id::new(5));
        assert_eq!(level_of(&member(&["8"], Permissions::empty()), &settings), Level::Everyone);
        settings.staff_role = Some(Id::new(8));
        assert_eq!(level_of(&member(&["8"], Permissions::empty()), &settings), Level::Support);
        assert_eq!(level_of(&member(&["9"], Permissions::MANAGE_GUILD), &settings), Level::Everyone);
        assert_eq!(level_of(&member(&[], Permissions::ADMINISTRATOR), &settings), Level::Admin);
    }
}
