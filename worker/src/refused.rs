//! What a failed call to Discord means for a ticket.

use std::time::Duration;

use common::discord::Error;

/// How long after an unclear answer it is asked again: Discord's edge answers 502 while what is behind it may still be
/// making what was asked for.
const SETTLING: Duration = Duration::from_secs(5);
/// A wait that Discord tells is waited for so long at most; then it is asked again how long it is.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Discord's JSON error codes that decide something here.
mod code {
    pub(super) const UNKNOWN_CHANNEL: u64 = 10003;
    pub(super) const UNKNOWN_GUILD: u64 = 10004;
    pub(super) const UNKNOWN_INTERACTION_WEBHOOK: u64 = 10015;
    pub(super) const UNKNOWN_MESSAGE: u64 = 10008;
    pub(super) const UNKNOWN_OVERWRITE: u64 = 10009;
    pub(super) const UNKNOWN_ROLE: u64 = 10011;
    pub(super) const UNKNOWN_INTERACTION: u64 = 10062;
    pub(super) const MAX_CHANNELS: u64 = 30013;
    pub(super) const MAX_ROLES: u64 = 30005;
    pub(super) const ALREADY_ACKNOWLEDGED: u64 = 40060;
    pub(super) const MISSING_ACCESS: u64 = 50001;
    pub(super) const MISSING_PERMISSIONS: u64 = 50013;
    pub(super) const INVALID_WEBHOOK_TOKEN: u64 = 50027;
    pub(super) const INVALID_FORM: u64 = 50035;
}

/// A failure, by what is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is not there (any more): a channel, message or guild.
    Gone,
    /// The bot lacks a permission.
    Forbidden,
    /// The guild has as many channels or roles as it can have.
    GuildFull,
    /// The category cannot take another channel, or is gone.
    Category,
    /// A role or member that an overwrite names is gone.
    Overwrite,
    /// The interaction was answered before.
    Answered,
    /// There is no answer to the interaction that could be edited: it expired, or the first answer is still on its way.
    Unanswered,
    /// The interaction can be answered no more.
    Expired,
    /// Discord does not accept the bot's token: it says nothing about what was asked.
    Token,
    /// Refused for another reason; asking again is no use.
    Refused,
    /// It did not happen, or perhaps it did; later it may go well.
    Later,
}

impl Failure {
    /// Whether Discord has decided nothing: it is to be asked again, and what was asked for is neither there nor gone.
    #[must_use]
    pub(crate) fn is_undecided(self) -> bool {
        matches!(self, Failure::Later | Failure::Token)
    }
}

/// How soon what Discord has not decided may be tried again; `None` where the request may be under way still, and only the
/// lease's end is late enough.
#[must_use]
pub(crate) fn again_in(error: &Error) -> Option<Duration> {
    match error {
        Error::RateLimited { retry_after, .. } => Some((*retry_after).clamp(SETTLING, LONGEST_PAUSE)),
        Error::Deadline { sent: true, .. } => None,
        _ => Some(SETTLING),
    }
}

/// What this error means.
#[must_use]
pub(crate) fn failure(error: &Error) -> Failure {
    let Error::Api { status, code, errors, .. } = error else {
        return match error {
            Error::Request(_) => Failure::Refused,
            _ => Failure::Later,
        };
    };
    match *code {
        code::UNKNOWN_CHANNEL | code::UNKNOWN_GUILD | code::UNKNOWN_MESSAGE => Failure::Gone,
        code::UNKNOWN_OVERWRITE | code::UNKNOWN_ROLE => Failure::Overwrite,
        code::MAX_CHANNELS | code::MAX_ROLES => Failure::GuildFull,
        code::ALREADY_ACKNOWLEDGED => Failure::Answered,
        code::UNKNOWN_INTERACTION_WEBHOOK => Failure::Unanswered,
        code::UNKNOWN_INTERACTION | code::INVALID_WEBHOOK_TOKEN => Failure::Expired,
        code::MISSING_ACCESS | code::MISSING_PERMISSIONS => Failure::Forbidden,
        code::INVALID_FORM => match errors {
            // CHANNEL_PARENT_MAX_CHANNELS and CHANNEL_PARENT_INVALID both come as errors of this field.
            Some(errors) if errors.get("parent_id").is_some() => Failure::Category,
            Some(errors) if errors.get("permission_overwrites").is_some() => Failure::Overwrite,
            _ => Failure::Refused,
        },
        _ => match *status {
            401 => Failure::Token,
            403 => Failure::Forbidden,
            429 | 500.. => Failure::Later,
            _ => Failure::Refused,
        },
    }
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(status: u16, code: u64, errors: Option<serde_json::Value>, expected: Failure) {
        let error = Error::Api { status, code, message: String::new(), errors, route: String::new() };
        assert_eq!(failure(&error), expected, "{status} {code}");
    }

    #[test]
    fn it_is_tried_again_when_that_can_help() {
        let route = String::new;
        let limited = |secs| Error::RateLimited { retry_after: Duration::from_secs(secs), route: route() };
        assert_eq!(again_in(&limited(1)), Some(SETTLING));
        assert_eq!(again_in(&limited(20)), Some(Duration::from_secs(20)));
        assert_eq!(again_in(&limited(600)), Some(LONGEST_PAUSE));
        assert_eq!(again_in(&Error::NoAnswer { route: route(), sent: true }), Some(SETTLING));
        assert_eq!(again_in(&Error::Deadline { route: route(), sent: true }), None);
        assert_eq!(again_in(&Error::Deadline { route: route(), sent: false }), Some(SETTLING));
    }

    #[test]
    fn codes_decide_before_statuses() {
        check(404, 10003, None, Failure::Gone);
        check(403, 50013, None, Failure::Forbidden);
        check(403, 0, None, Failure::Forbidden);
        check(400, 30013, None, Failure::GuildFull);
        check(400, 40060, None, Failure::Answered);
        check(404, 10062, None, Failure::Expired);
        check(404, 10015, None, Failure::Unanswered);
        check(401, 50027, None, Failure::Expired);
        check(401, 0, None, Failure::Token);
        check(502, 0, None, Failure::Later);
        check(429, 0, None, Failure::Later);
    }

    #[test]
    fn a_token_that_is_not_accepted_decides_nothing() {
        assert!(Failure::Token.is_undecided());
        assert!(Failure::Later.is_undecided());
        for decided in [Failure::Gone, Failure::Forbidden, Failure::Refused] {
            assert!(!decided.is_undecided(), "{decided:?}");
        }
    }

    #[test]
    fn a_form_error_is_about_what_it_names() {
        let full = json!({"parent_id": {"_errors": [{"code": "CHANNEL_PARENT_MAX_CHANNELS", "message": "x"}]}});
        check(400, 50035, Some(full), Failure::Category);
        check(400, 50035, Some(json!({"permission_overwrites": {"2": {}}})), Failure::Overwrite);
        check(400, 50035, Some(json!({"name": {}})), Failure::Refused);
        check(400, 50035, None, Failure::Refused);
    }

    #[test]
    fn what_was_not_answered_may_go_well_later() {
        let limited = Error::RateLimited { retry_after: Duration::from_secs(60), route: String::new() };
        assert_eq!(failure(&limited), Failure::Later);
        let overdue = Error::Deadline { route: String::new(), sent: true };
        assert_eq!(failure(&overdue), Failure::Later);
    }
}
