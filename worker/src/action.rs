//! What a person can do with the bot, declared: the dispatcher enforces each declaration.

use std::fmt;

use database::Cause;
use futures_util::future::BoxFuture;
use model::{CustomId, GuildSettings, Level};
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker, UserMarker},
};

use crate::{context::Context, error::CommandError, interaction::Interaction, reply::Reply, text::text};

/// A command, button or form: who may use it, where, and what it does.
pub struct Action {
    /// Its name in logs and in the access table.
    pub name: &'static str,
    /// Who may use it at least.
    pub level: Level,
    /// Where it works.
    pub place: Place,
    /// Whether it may take longer than Discord waits: then "the answer comes later" is said at once.
    pub defer: bool,
    /// What it does.
    pub run: Run,
}

/// What an action does: from an invocation to a reply.
pub type Run = for<'a> fn(&'a Context, &'a Invocation<'a>) -> BoxFuture<'a, Result<Reply, CommandError>>;

/// Where an action works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In guilds.
    Guild,
    /// In guilds and in direct messages.
    Anywhere,
}

/// An interaction that passed the guards.
pub struct Invocation<'a> {
    /// What Discord sent.
    pub interaction: &'a Interaction,
    /// Who did it.
    pub actor: Actor,
    /// The guild, where it came from one.
    pub guild: Option<Scope>,
    /// The pressed button or submitted form.
    pub custom_id: Option<CustomId>,
}

/// A person who asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub user: Id<UserMarker>,
    /// What that person may do in the guild.
    pub level: Level,
}

/// A guild and its settings: all that an action may see and change.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The guild that Discord signed the interaction for.
    pub guild: Id<GuildMarker>,
    /// Its settings.
    pub settings: GuildSettings,
}

impl Invocation<'_> {
    /// What its effect is for: the click comes again where its first answer was late or lost, and has no second effect.
    #[must_use]
    pub fn cause(&self, cx: &Context) -> Cause {
        Cause::click(cx.bot, self.interaction.id)
    }

    /// The guild.
    ///
    /// # Errors
    ///
    /// Refused outside of guilds; the dispatcher does so already for [`Place::Guild`].
    pub fn scope(&self) -> Result<&Scope, CommandError> {
        self.guild.as_ref().ok_or_else(|| text("refused-outside-guild").into())
    }

    /// The channel that it came from.
    ///
    /// # Errors
    ///
    /// Refused where Discord names none.
    pub fn channel(&self) -> Result<Id<ChannelMarker>, CommandError> {
        self.interaction.channel().ok_or_else(|| text("refused-outside-guild").into())
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Action")
            .field("name", &self.name)
            .field("level", &self.level)
            .field("place", &self.place)
            .field("defer", &self.defer)
            .finish_non_exhaustive()
    }
}
