//! Slash commands: the list of all, and what each declares to Discord.

pub mod settings;
pub mod tickets;

use futures_util::future::BoxFuture;
use twilight_model::application::command::Command as Spec;

use crate::{
    action::{Action, Invocation},
    context::Context,
    error::CommandError,
    reply::Reply,
};

/// All commands.
pub static ALL: &[Command] =
    &[settings::setup::COMMAND, tickets::open::COMMAND, tickets::close::COMMAND, tickets::claim::COMMAND];

/// A slash command.
#[derive(Debug)]
pub struct Command {
    /// Who may use it, and what it does. Its name is the command's.
    pub action: Action,
    /// What Discord shows.
    pub spec: fn() -> Spec,
    /// Suggests values for the option that is being typed.
    pub complete: Option<Complete>,
}

/// Suggests values for the option that is being typed, from an invocation.
pub type Complete = for<'a> fn(&'a Context, &'a Invocation<'a>) -> BoxFuture<'a, Result<Reply, CommandError>>;

/// The command of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Command> {
    ALL.iter().find(|command| command.action.name == name)
}
