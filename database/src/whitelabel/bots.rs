//! What a customer's bot is to do.

use std::num::NonZeroU32;

use common::crypto::Vault;
use model::{Activity, Presence};
use secrecy::SecretString;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, UserMarker},
};

use super::row::{Row, SealedToken, WhitelabelRow};
use crate::{
    Error,
    connection::Source,
    convert::{column, text},
    error::Attempt,
};

/// Customers' own bots. Every statement names one bot, save for the lists.
#[derive(Debug)]
pub struct WhitelabelBots<'a>(pub(crate) Source<'a>);

/// A customer's bot that is to be added.
#[derive(Clone, Debug)]
pub struct NewWhitelabelBot {
    /// The bot.
    pub bot: Id<ApplicationMarker>,
    /// The customer.
    pub owner: Id<UserMarker>,
    /// Its token, which is sealed before it goes anywhere.
    pub token: SecretString,
    /// Whether it asks for the privileged intent MESSAGE_CONTENT.
    pub message_content: bool,
}

/// A row that does not say what a bot is to do.
#[derive(Debug)]
pub struct Unreadable {
    /// The bot; `None` where even that is not sure.
    pub bot: Option<Id<ApplicationMarker>>,
    /// What is wrong.
    pub error: Error,
}

impl WhitelabelBots<'_> {
    /// Adds a bot, enabled; false where it is there already, which changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn insert(&mut self, vault: &Vault, new: &NewWhitelabelBot) -> Result<bool, Error> {
        let token = SealedToken::seal(vault, new.bot, &new.token);
        let done = async {
            sqlx::query!(
                r#"
                insert into whitelabel_bots (bot_id, owner_id, token, message_content)
                values ($1, $2, $3, $4)
                on conflict (bot_id) do nothing
                "#,
                column(new.bot),
                column(new.owner),
                token.bytes(),
                new.message_content,
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("add whitelabel bot", new.bot)?;
        Ok(done.rows_affected() == 1)
    }

    /// One bot.
    ///
    /// # Errors
    ///
    /// [`Error::Query`], [`Error::Corrupt`].
    pub async fn by_id(&mut self, bot: Id<ApplicationMarker>) -> Result<Option<WhitelabelRow>, Error> {
        async {
            sqlx::query_as!(
                Row,
                r#"
                select bot_id, owner_id, token, token_version, message_content, presence_status, activity_kind,
                    activity_text, enabled, refused_code, refused_reason, refused_at, notice, owner_told_at, version,
                    created_at
                from whitelabel_bots
                where bot_id = $1
                "#,
                column(bot),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("read whitelabel bot", bot)?
        .map(Row::read)
        .transpose()
    }

    /// The bots of process `process` out of `processes`: those with `bot_id % processes = process`, by id. One that
    /// cannot be read, [`Error::Corrupt`], is told with its id and keeps none of the others back.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn list_part(
        &mut self,
        process: u32,
        processes: NonZeroU32,
    ) -> Result<Vec<Result<WhitelabelRow, Unreadable>>, Error> {
        let rows = async {
            sqlx::query_as!(
                Row,
                r#"
                select bot_id, owner_id, token, token_version, message_content, presence_status, activity_kind,
                    activity_text, enabled, refused_code, refused_reason, refused_at, notice, owner_told_at, version,
                    created_at
                from whitelabel_bots
                where mod(bot_id, $1) = $2
                order by bot_id
                "#,
                i64::from(processes.get()),
                i64::from(process),
            )
            .fetch_all(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("list the whitelabel bots of process", process)?;
        let read = |row: Row| {
            let bot = Id::new_checked(row.bot_id.cast_unsigned());
            row.read().map_err(|error| Unreadable { bot, error })
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Gives a bot another token, which is tried at once where the bot is enabled; an old refusal is forgotten. Answers
    /// the token's version; `None` where there is no such bot.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn set_token(
        &mut self,
        vault: &Vault,
        bot: Id<ApplicationMarker>,
        token: &SecretString,
    ) -> Result<Option<i32>, Error> {
        let token = SealedToken::seal(vault, bot, token);
        async {
            sqlx::query_scalar!(
                r#"
                update whitelabel_bots
                set token = $2, token_version = nextval('whitelabel_token_versions'), version = version + 1,
                    updated_at = clock_timestamp(),
                    health = 'ok', refused_code = null, refused_reason = null, refused_at = null,
                    notice = null, notice_leased_until = null, owner_told_at = null
                where bot_id = $1
                returning token_version
                "#,
                column(bot),
                token.bytes(),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("set the token of whitelabel bot", bot)
    }

    /// Seals a bot's token with the key that now seals, and changes nothing else; false where the token is another one
    /// by now.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn reseal(&mut self, vault: &Vault, row: &WhitelabelRow, token: &SecretString) -> Result<bool, Error> {
        let bot = row.bot.bot;
        let sealed = SealedToken::seal(vault, bot, token);
        let done = async {
            sqlx::query!(
                "update whitelabel_bots set token = $2 where bot_id = $1 and token = $3",
                column(bot),
                sealed.bytes(),
                row.token.bytes(),
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("seal the token anew of whitelabel bot", bot)?;
        Ok(done.rows_affected() == 1)
    }

    /// Sets or clears what a bot's profile shows; false where there is no such bot.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn set_presence(
        &mut self,
        bot: Id<ApplicationMarker>,
        presence: Option<&Presence>,
    ) -> Result<bool, Error> {
        let activity = presence.and_then(|presence| presence.activity.as_ref());
        let shown = activity.map(|Activity { text: shown, .. }| text(shown));
        let done = async {
            sqlx::query!(
                r#"
                update whitelabel_bots
                set presence_status = $2, activity_kind = $3, activity_text = $4,
                    version = version + 1, updated_at = clock_timestamp()
                where bot_id = $1
                "#,
                column(bot),
                presence.map(|presence| presence.status.as_str()),
                activity.map(|activity| activity.kind.as_str()),
                shown.as_deref(),
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("set the presence of whitelabel bot", bot)?;
        Ok(done.rows_affected() == 1)
    }

    /// Has a bot connected. After a refusal its token is tried anew. `message_content` changes whether the bot asks for
    /// that intent, from its next session on: a connected bot connects anew and resumes. False where there is no such bot.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn enable(&mut self, bot: Id<ApplicationMarker>, message_content: Option<bool>) -> Result<bool, Error> {
        let done = async {
            sqlx::query!(
                r#"
                update whitelabel_bots
                set enabled = true, message_content = coalesce($2, message_content),
                    token_version = case
                        when health = 'refused' or $2 <> message_content then nextval('whitelabel_token_versions')
                        else token_version
                    end,
                    version = version + 1, updated_at = clock_timestamp(),
                    health = 'ok', refused_code = null, refused_reason = null, refused_at = null,
                    notice = null, notice_leased_until = null, owner_told_at = null
                where bot_id = $1
                "#,
                column(bot),
                message_content,
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("enable whitelabel bot", bot)?;
        Ok(done.rows_affected() == 1)
    }

    /// Has a bot disconnected and kept; false where there is no such bot.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn disable(&mut self, bot: Id<ApplicationMarker>) -> Result<bool, Error> {
        let done = async {
            sqlx::query!(
                r#"
                update whitelabel_bots
                set enabled = false, version = version + 1, updated_at = clock_timestamp()
                where bot_id = $1
                "#,
                column(bot),
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("disable whitelabel bot", bot)?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes a bot with its token; its tickets stay. False where there is no such bot.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn delete(&mut self, bot: Id<ApplicationMarker>) -> Result<bool, Error> {
        let done = async {
            sqlx::query!("delete from whitelabel_bots where bot_id = $1", column(bot))
                .execute(&mut *self.0.connection().await?)
                .await
        }
        .await
        .attempt("remove whitelabel bot", bot)?;
        Ok(done.rows_affected() == 1)
    }
}
