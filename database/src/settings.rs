//! Table `guild_settings`.

use std::time::Duration;

use model::GuildSettings;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, GuildMarker, InteractionMarker, RoleMarker},
};

use crate::{
    Cause, Error,
    connection::Source,
    convert::{column, column_opt, id, id_opt},
    error::Attempt,
};

/// What [`Settings::begin_setup`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupTurn {
    /// The caller works on the guild.
    Begun {
        /// The oldest click whose run may have made what was not stored, the caller's own where there was none before:
        /// Discord counts ids by time, so what it may have made has a greater id.
        since: Id<InteractionMarker>,
        /// Nobody began before: nothing was made that is not stored.
        fresh: bool,
    },
    /// This click made everything before.
    Repeated,
    /// Another click has the turn.
    Taken,
}

/// Guilds' settings. Each setter makes the guild's row where there is none and leaves the other settings as they are.
#[derive(Debug)]
pub struct Settings<'a>(pub(crate) Source<'a>);

impl Settings<'_> {
    /// The settings of a guild; [`GuildSettings::unset`] where it has set nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn by_guild(&mut self, guild: Id<GuildMarker>) -> Result<GuildSettings, Error> {
        let row = async {
            sqlx::query!(
                r#"
                select staff_role_id, category_id, transcript_channel_id, ticket_limit
                from guild_settings
                where guild_id = $1
                "#,
                column(guild),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("read the settings of guild", guild)?;
        let Some(row) = row else {
            return Ok(GuildSettings::unset(guild));
        };
        let subject = format_args!("the settings of guild {guild}");
        Ok(GuildSettings {
            guild,
            staff_role: id_opt(row.staff_role_id, "staff_role_id", subject)?,
            category: id_opt(row.category_id, "category_id", subject)?,
            transcript_channel: id_opt(row.transcript_channel_id, "transcript_channel_id", subject)?,
            ticket_limit: u8::try_from(row.ticket_limit).map_err(|_| Error::Corrupt {
                subject: subject.to_string(),
                column: "ticket_limit",
                found: row.ticket_limit.to_string(),
            })?,
        })
    }

    /// Sets or clears the role of the support staff.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn set_staff_role(&mut self, guild: Id<GuildMarker>, role: Option<Id<RoleMarker>>) -> Result<(), Error> {
        async {
            sqlx::query!(
                r#"
                insert into guild_settings (guild_id, staff_role_id)
                values ($1, $2)
                on conflict (guild_id) do update set staff_role_id = excluded.staff_role_id, updated_at = now()
                "#,
                column(guild),
                column_opt(role),
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("set the staff role of guild", guild)
        .map(drop)
    }

    /// Sets or clears the category of tickets' channels.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn set_category(
        &mut self,
        guild: Id<GuildMarker>,
        category: Option<Id<ChannelMarker>>,
    ) -> Result<(), Error> {
        async {
            sqlx::query!(
                r#"
                insert into guild_settings (guild_id, category_id)
                values ($1, $2)
                on conflict (guild_id) do update set category_id = excluded.category_id, updated_at = now()
                "#,
                column(guild),
                column_opt(category),
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("set the category of guild", guild)
        .map(drop)
    }

    /// Sets or clears the channel of notices and transcripts.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn set_transcript_channel(
        &mut self,
        guild: Id<GuildMarker>,
        channel: Option<Id<ChannelMarker>>,
    ) -> Result<(), Error> {
        async {
            sqlx::query!(
                r#"
                insert into guild_settings (guild_id, transcript_channel_id)
                values ($1, $2)
                on conflict (guild_id) do update
                set transcript_channel_id = excluded.transcript_channel_id, updated_at = now()
                "#,
                column(guild),
                column_opt(channel),
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("set the transcript channel of guild", guild)
        .map(drop)
    }

    /// Takes the guild's turn at `/setup` for the click `by` on `bot`.
    ///
    /// The same click, delivered again before everything was made, gets its turn again: whoever began it died.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn begin_setup(
        &mut self,
        guild: Id<GuildMarker>,
        bot: Id<ApplicationMarker>,
        by: Id<InteractionMarker>,
        lease: Duration,
    ) -> Result<SetupTurn, Error> {
        let cause = Cause::click(bot, by);
        let turn = async {
            sqlx::query!(
                r#"
                insert into guild_settings as settings (guild_id, setup_by, setup_leased_until, setup_since)
                select $1, $2, clock_timestamp() + make_interval(secs => $3), $2
                where not exists (select from inbox where bot_id = $4 and cause = $5)
                on conflict (guild_id) do update
                set setup_by = excluded.setup_by,
                    setup_leased_until = excluded.setup_leased_until,
                    setup_since = coalesce(settings.setup_since, excluded.setup_since)
                where settings.setup_by is null
                    or settings.setup_by = excluded.setup_by
                    or settings.setup_leased_until <= clock_timestamp()
                returning setup_since as "since!",
                    not exists (
                        select from guild_settings as before where guild_id = $1 and setup_since is not null
                    ) as "fresh!"
                "#,
                column(guild),
                column(by),
                lease.as_secs_f64(),
                column(bot),
                cause.name,
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("take the turn at the setup of guild", guild)?;
        match turn {
            Some(turn) => {
                let since = id(turn.since, "setup_since", format_args!("the settings of guild {guild}"))?;
                Ok(SetupTurn::Begun { since, fresh: turn.fresh })
            }
            None if self.was_set_up_by(guild, &cause).await? => Ok(SetupTurn::Repeated),
            None => Ok(SetupTurn::Taken),
        }
    }

    async fn was_set_up_by(&mut self, guild: Id<GuildMarker>, cause: &Cause) -> Result<bool, Error> {
        let found = async {
            sqlx::query_scalar!(
                r#"select exists (select from inbox where bot_id = $1 and cause = $2 and guild_id = $3) as "found!""#,
                column(cause.bot),
                cause.name,
                column(guild),
            )
            .fetch_one(&mut *self.0.connection().await?)
            .await
        }
        .await;
        found.attempt("look for the setup by", cause)
    }

    /// Gives the turn back, and says whether `by` still had it. `complete` says that everything is made and stored: only
    /// then no older run can have left anything, and the click has had its effect.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn end_setup(
        &mut self,
        guild: Id<GuildMarker>,
        bot: Id<ApplicationMarker>,
        by: Id<InteractionMarker>,
        complete: bool,
    ) -> Result<bool, Error> {
        let cause = Cause::click(bot, by);
        async {
            sqlx::query_scalar!(
                r#"
                with ended as (
                    update guild_settings
                    set setup_by = null,
                        setup_leased_until = null,
                        setup_since = case when $3 then null else setup_since end
                    where guild_id = $1 and setup_by = $2
                    returning guild_id
                ), noted as (
                    insert into inbox (bot_id, cause, guild_id)
                    select $4, $5, guild_id from ended where $3
                    on conflict (bot_id, cause) do nothing
                )
                select count(*) = 1 as "ended!" from ended
                "#,
                column(guild),
                column(by),
                complete,
                column(bot),
                cause.name,
            )
            .fetch_one(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("give back the turn at the setup of guild", guild)
    }
}
