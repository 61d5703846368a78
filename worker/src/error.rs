//! How a handler fails: by a refusal that says what to do, or by our own fault.

use twilight_model::guild::Permissions;

use crate::text::{Text, text};

/// Why a handler gave no ordinary answer.
#[derive(Debug)]
pub enum CommandError {
    /// It may not be; the text says why and what to do next.
    Refused(Refusal),
    /// Something of ours or of Discord's failed; the log has the chain, the person an id to name it by.
    Internal(anyhow::Error),
}

/// A private text that says why not, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The text.
    pub text: Text,
}

impl From<Text> for CommandError {
    fn from(text: Text) -> Self {
        CommandError::Refused(Refusal { text })
    }
}

impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> Self {
        CommandError::Internal(error)
    }
}

impl From<database::Error> for CommandError {
    fn from(error: database::Error) -> Self {
        CommandError::Internal(error.into())
    }
}

/// What the bot needs in a guild, with the names that Discord shows.
pub(crate) const NEEDED: &[(Permissions, &str)] = &[
    (Permissions::VIEW_CHANNEL, "View Channels"),
    (Permissions::MANAGE_CHANNELS, "Manage Channels"),
    (Permissions::MANAGE_ROLES, "Manage Roles"),
    (Permissions::SEND_MESSAGES, "Send Messages"),
    (Permissions::MANAGE_MESSAGES, "Manage Messages"),
    (Permissions::EMBED_LINKS, "Embed Links"),
    (Permissions::ATTACH_FILES, "Attach Files"),
    (Permissions::READ_MESSAGE_HISTORY, "Read Message History"),
];

/// Names what the bot lacks. `has` is what Discord said it may do; where that shows no gap, everything it needs is named,
/// because a channel's own settings may take away what the roles give.
#[must_use]
pub(crate) fn missing_permissions(has: Option<Permissions>) -> Text {
    let has = match has {
        Some(has) if has.contains(Permissions::ADMINISTRATOR) => Permissions::all(),
        Some(has) => has,
        None => Permissions::all(),
    };
    let lacking: Vec<_> = names(|permission| !has.contains(permission));
    if lacking.is_empty() {
        text("refused-permissions-unclear").with("needed", names(|_| true).join(", "))
    } else {
        text("refused-permissions").with("missing", lacking.join(", "))
    }
}

fn names(wanted: impl Fn(Permissions) -> bool) -> Vec<&'static str> {
    NEEDED.iter().filter(|(permission, _)| wanted(*permission)).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_permissions_are_named() {
        let mut has = Permissions::all();
        has.remove(Permissions::ADMINISTRATOR | Permissions::MANAGE_ROLES);
        let text = missing_permissions(Some(has)).to_string();
        assert!(text.contains("**Manage Roles**"), "{text}");
        assert!(!text.contains("Manage Channels"), "{text}");
    }

    #[test]
    fn when_none_seems_missing_all_that_is_needed_is_named() {
        for has in [None, Some(Permissions::ADMINISTRATOR)] {
            let text = missing_permissions(has);
            assert_eq!(text.key(), "refused-permissions-unclear");
            assert!(text.to_string().contains("Manage Channels, Manage Roles"));
        }
    }
}
