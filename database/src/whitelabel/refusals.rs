//! What Discord said of a customer's bot, and that its owner is told.

use std::{num::NonZeroU32, time::Duration};

use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, UserMarker},
};

use super::bots::WhitelabelBots;
use crate::{
    Error,
    convert::{column, id, text},
    error::Attempt,
};

/// An owner who is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueNotice {
    /// The refused bot.
    pub bot: Id<ApplicationMarker>,
    /// Its owner.
    pub owner: Id<UserMarker>,
    /// The version of the token that was refused; with the bot it names the refusal.
    pub token_version: i32,
    /// The code, see [`model::Refusal::code`].
    pub code: u16,
}

impl WhitelabelBots<'_> {
    /// Notes that Discord refused a bot for good when it came with the token of that version, and that its owner is to
    /// be told. False where that is no news, where the bot is gone, or where it has a newer token by now: whoever set it
    /// wins.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn mark_refused(
        &mut self,
        bot: Id<ApplicationMarker>,
        token_version: i32,
        code: u16,
        reason: &str,
    ) -> Result<bool, Error> {
        let done = async {
            sqlx::query!(
                r#"
                update whitelabel_bots
                set health = 'refused', refused_code = $3, refused_reason = $4, refused_at = clock_timestamp(),
                    notice = 'due', version = version + 1, updated_at = clock_timestamp()
                where bot_id = $1 and token_version = $2 and health = 'ok'
                "#,
                column(bot),
                token_version,
                i32::from(code),
                &*text(reason),
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("note the refusal of whitelabel bot", bot)?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes the oldest refusal, among the bots of process `process` out of `processes`, whose owner is to be told and
    /// whom nobody else is telling. Who does not settle it within the lease leaves it to the next.
    ///
    /// # Errors
    ///
    /// [`Error::Query`], [`Error::Corrupt`].
    pub async fn lease_notice(
        &mut self,
        process: u32,
        processes: NonZeroU32,
        lease: Duration,
    ) -> Result<Option<DueNotice>, Error> {
        let row = async {
            sqlx::query!(
                r#"
                update whitelabel_bots
                set notice_leased_until = clock_timestamp() + make_interval(secs => $3)
                where bot_id = (
                    select bot_id
                    from whitelabel_bots
                    where notice = 'due'
                        and mod(bot_id, $1) = $2
                        and (notice_leased_until is null or notice_leased_until <= clock_timestamp())
                    order by refused_at, bot_id
                    limit 1
                    for update skip locked
                )
                returning bot_id, owner_id, token_version, refused_code as "code!"
                "#,
                i64::from(processes.get()),
                i64::from(process),
                lease.as_secs_f64(),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("take a due notice of process", process)?;
        let Some(row) = row else { return Ok(None) };
        let subject = format!("whitelabel bot {}", row.bot_id.cast_unsigned());
        Ok(Some(DueNotice {
            bot: id(row.bot_id, "bot_id", &subject)?,
            owner: id(row.owner_id, "owner_id", &subject)?,
            token_version: row.token_version,
            code: u16::try_from(row.code).map_err(|_| Error::Corrupt {
                subject,
                column: "refused_code",
                found: row.code.to_string(),
            })?,
        }))
    }

    /// Notes that the owner was told of a refusal, or, where not `told`, that Discord does not let us tell them. False
    /// where the refusal is no longer the bot's, or was settled before.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn settle_notice(&mut self, notice: &DueNotice, told: bool) -> Result<bool, Error> {
        let done = async {
            sqlx::query!(
                r#"
                update whitelabel_bots
                set notice = case when $3 then 'told' else 'undeliverable' end,
                    owner_told_at = case when $3 then clock_timestamp() end,
                    notice_leased_until = null,
                    version = version + 1, updated_at = clock_timestamp()
                where bot_id = $1 and token_version = $2 and notice = 'due'
                "#,
                column(notice.bot),
                notice.token_version,
                told,
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("settle the notice of whitelabel bot", notice.bot)?;
        Ok(done.rows_affected() == 1)
    }
}
