//! Table `guild_settings`.

use model::GuildSettings;
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker, RoleMarker},
};

use crate::{
    Error,
    connection::Source,
    convert::{column, column_opt, id_opt},
    error::Attempt,
};

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

    /// Sets how many tickets a member may have open at once.
    ///
    /// # Errors
    ///
    /// [`Error::Query`], also for a limit of 0.
    pub async fn set_ticket_limit(&mut self, guild: Id<GuildMarker>, limit: u8) -> Result<(), Error> {
        async {
            sqlx::query!(
                r#"
                insert into guild_settings (guild_id, ticket_limit)
                values ($1, $2)
                on conflict (guild_id) do update set ticket_limit = excluded.ticket_limit, updated_at = now()
                "#,
                column(guild),
                i16::from(limit),
            )
            .execute(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("set the ticket limit of guild", guild)
        .map(drop)
    }
}
