//! Why Discord will not have a bot, in words for its owner.

use common::discord;

use crate::gateway::FatalClose;

/// Discord will not have a bot, however often it tries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Refused {
    /// The gateway's close code, or 401.
    pub(super) code: u16,
    /// Discord's own words.
    pub(super) said: String,
}

impl Refused {
    /// The refusal in an error, if it is one.
    pub(super) fn of(error: &anyhow::Error) -> Option<Self> {
        error.chain().find_map(|cause| {
            if let Some(closed) = cause.downcast_ref::<FatalClose>() {
                return Some(Self { code: closed.code, said: closed.reason.clone() });
            }
            match cause.downcast_ref::<discord::Error>()? {
                discord::Error::Api { status: 401, message, .. } => Some(Self { code: 401, said: message.clone() }),
                _ => None,
            }
        })
    }

    /// What the row says.
    pub(super) fn reason(&self) -> String {
        format!("{} (Discord: {})", remedy(self.code), self.said)
    }
}

/// What is wrong and what the owner can do, as a sentence without its full stop.
pub(super) fn remedy(code: u16) -> &'static str {
    match code {
        401 | 4004 => "its token is wrong or was reset: copy the current one from its page in the developer portal",
        4011 => "it is in more than 2,500 servers, which one connection may not hold",
        4014 => {
            "the intent Message Content is not enabled: switch it on under Bot, Privileged Gateway Intents, on its \
             page in the developer portal, and have it enabled again"
        }
        _ => "the gateway no longer understands us: Tickets must be updated",
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    fn closed(code: u16) -> FatalClose {
        FatalClose { shard: 0, code, reason: "Authentication failed.".to_owned(), cause: "" }
    }

    #[test]
    fn a_refusal_is_found_within_an_error_and_other_errors_are_none() {
        let error = anyhow::Error::from(closed(4004)).context("run the shard");
        let refused = Refused::of(&error).unwrap();
        assert_eq!((refused.code, refused.said.as_str()), (4004, "Authentication failed."));
        assert!(refused.reason().contains("developer portal") && refused.reason().contains("Authentication failed."));

        let api = |status| discord::Error::Api {
            status,
            code: 0,
            message: "401: Unauthorized".to_owned(),
            errors: None,
            route: "GET gateway/bot".to_owned(),
        };
        let error = Err::<(), _>(api(401)).context("ask where the gateway is").unwrap_err();
        assert_eq!(Refused::of(&error).unwrap().code, 401);
        assert_eq!(Refused::of(&api(500).into()), None);
        assert_eq!(Refused::of(&anyhow::anyhow!("Redis is away")), None);
    }

    #[test]
    fn a_missing_intent_is_said_with_the_way_to_enable_it() {
        assert!(remedy(4014).contains("Message Content") && remedy(4014).contains("developer portal"));
    }
}
