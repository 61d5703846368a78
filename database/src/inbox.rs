//! Table `inbox`: which clicks and events had their effect.

use std::{fmt, time::Duration};

use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, InteractionMarker},
};

use crate::{
    Error,
    connection::Source,
    convert::{column, text},
    error::Attempt,
};

/// What an effect is for: a click, or an event of the gateway. Each has at most one effect, however often it comes.
///
/// The effect and the cause's row are written by one statement; two deliveries that race meet in the row's primary key. An
/// effect that was undone left no row, and may be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cause {
    pub(crate) bot: Id<ApplicationMarker>,
    pub(crate) name: String,
}

impl Cause {
    /// A click on a bot.
    #[must_use]
    pub fn click(bot: Id<ApplicationMarker>, interaction: Id<InteractionMarker>) -> Cause {
        Cause { bot, name: format!("click {interaction}") }
    }

    /// What the gateway dispatched to a bot: the same session and number, the same event.
    #[must_use]
    pub fn event(bot: Id<ApplicationMarker>, session: &str, sequence: u64) -> Cause {
        Cause { bot, name: format!("event {}/{sequence}", text(session)) }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of bot {}", self.name, self.bot)
    }
}

/// The name of the table's primary key.
pub(crate) const SPENT: &str = "inbox_pkey";

/// Causes that had their effect.
#[derive(Debug)]
pub struct Inbox<'a>(pub(crate) Source<'a>);

impl Inbox<'_> {
    /// Forgets up to `limit` of a bot's causes whose effect is older than `kept`, oldest first. Gives how many those were.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn purge(&mut self, bot: Id<ApplicationMarker>, kept: Duration, limit: u32) -> Result<u64, Error> {
        let done = async {
            sqlx::query!(
                r#"
                with old as (
                    select cause
                    from inbox
                    where bot_id = $1 and at < clock_timestamp() - make_interval(secs => $2)
                    order by at
                    limit $3
                    for update skip locked
                )
                delete from inbox using old where inbox.bot_id = $1 and inbox.cause = old.cause
                "#,
                column(bot),
                kept.as_secs_f64(),
                i64::from(limit),
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("purge the inbox of bot", bot)?;
        Ok(done.rows_affected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_and_events_never_share_a_name() {
        let bot = Id::new(7);
        let causes = [
            Cause::click(bot, Id::new(1)),
            Cause::click(bot, Id::new(11)),
            Cause::click(Id::new(8), Id::new(1)),
            Cause::event(bot, "a", 1),
            Cause::event(bot, "a/1", 1),
            Cause::event(bot, "a", 11),
        ];
        for (index, cause) in causes.iter().enumerate() {
            assert!(!causes[..index].contains(cause), "{cause}");
        }
        assert_eq!(Cause::event(bot, "a\0b", 3).to_string(), "event a\u{fffd}b/3 of bot 7");
    }
}
