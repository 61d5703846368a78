//! Table `inbox`.

use time::OffsetDateTime;
use twilight_model::id::{Id, marker::ApplicationMarker};

use crate::{Error, connection::Source, convert::column, error::Attempt};

/// Events and clicks that had their effect.
#[derive(Debug)]
pub struct Inbox<'a>(pub(crate) Source<'a>);

impl Inbox<'_> {
    /// Notes an event or click of a bot, and says whether it is new. The same key is new for one caller only.
    ///
    /// Take it in the [`Transaction`](crate::Transaction) of its effect: then it is noted exactly when the effect lasts,
    /// and a second caller waits for the first to commit.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn take(&mut self, bot: Id<ApplicationMarker>, key: &str) -> Result<bool, Error> {
        let done = async {
            sqlx::query!(
                r#"
                insert into inbox (bot_id, event_key)
                values ($1, $2)
                on conflict (bot_id, event_key) do nothing
                "#,
                column(bot),
                key,
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("take from the inbox", key)?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets a key whose effect failed, and says whether it was known.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn forget(&mut self, bot: Id<ApplicationMarker>, key: &str) -> Result<bool, Error> {
        let done = async {
            sqlx::query!("delete from inbox where bot_id = $1 and event_key = $2", column(bot), key,)
                .execute(&mut *self.0.connection().await?)
                .await
        }
        .await
        .attempt("forget from the inbox", key)?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets what is older than `before`, of all guilds, and says how many. Nothing comes again that late.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn delete_before(&mut self, before: OffsetDateTime) -> Result<u64, Error> {
        let done = async {
            sqlx::query!("delete from inbox where at < $1", before).execute(&mut *self.0.connection().await?).await
        }
        .await
        .attempt("delete from the inbox before", before)?;
        Ok(done.rows_affected())
    }
}
