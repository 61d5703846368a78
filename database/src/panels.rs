//! Table `panels`.

use model::{Panel, PanelId};
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, GuildMarker, MessageMarker},
};

use crate::{
    Error,
    connection::Source,
    convert::{column, id, id_opt, name, text},
    error::Attempt,
};

/// Panels. A panel is named by guild and id: another guild's panel is not found.
#[derive(Debug)]
pub struct Panels<'a>(pub(crate) Source<'a>);

/// A panel that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPanel {
    /// The guild whose panel it is.
    pub guild: Id<GuildMarker>,
    /// The channel that it will stand in.
    pub channel: Id<ChannelMarker>,
    /// Its heading.
    pub title: String,
    /// The text under the heading.
    pub body: String,
    /// The text on the button.
    pub button_label: String,
}

impl Panels<'_> {
    /// Makes a panel, not posted yet.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn insert(&mut self, new: &NewPanel) -> Result<Panel, Error> {
        async {
            sqlx::query_as!(
                PanelRow,
                r#"
                insert into panels (guild_id, channel_id, title, body, button_label)
                values ($1, $2, $3, $4, $5)
                returning guild_id, panel_id, channel_id, title, body, button_label, state, message_id
                "#,
                column(new.guild),
                column(new.channel),
                &*text(&new.title),
                &*text(&new.body),
                &*text(&new.button_label),
            )
            .fetch_one(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("make a panel in guild", new.guild)?
        .into_panel()
    }

    /// All panels of the guild, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Query`].
    pub async fn list(&mut self, guild: Id<GuildMarker>) -> Result<Vec<Panel>, Error> {
        async {
            sqlx::query_as!(
                PanelRow,
                r#"
                select guild_id, panel_id, channel_id, title, body, button_label, state, message_id
                from panels
                where guild_id = $1
                order by panel_id
                "#,
                column(guild),
            )
            .fetch_all(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("list the panels of guild", guild)?
        .into_iter()
        .map(PanelRow::into_panel)
        .collect()
    }

    /// Notes that its message is about to be sent into `channel`.
    ///
    /// # Errors
    ///
    /// [`Error::NoPanel`], [`Error::Query`].
    pub async fn set_posting(
        &mut self,
        guild: Id<GuildMarker>,
        panel: PanelId,
        channel: Id<ChannelMarker>,
    ) -> Result<Panel, Error> {
        async {
            sqlx::query_as!(
                PanelRow,
                r#"
                update panels
                set state = 'posting', channel_id = $3, message_id = null
                where guild_id = $1 and panel_id = $2
                returning guild_id, panel_id, channel_id, title, body, button_label, state, message_id
                "#,
                column(guild),
                panel.0,
                column(channel),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("note the posting of panel", Subject(guild, panel))?
        .ok_or(Error::NoPanel { guild, panel })?
        .into_panel()
    }

    /// Notes its message.
    ///
    /// # Errors
    ///
    /// [`Error::NoPanel`], [`Error::Query`].
    pub async fn set_posted(
        &mut self,
        guild: Id<GuildMarker>,
        panel: PanelId,
        message: Id<MessageMarker>,
    ) -> Result<Panel, Error> {
        async {
            sqlx::query_as!(
                PanelRow,
                r#"
                update panels
                set state = 'posted', message_id = $3
                where guild_id = $1 and panel_id = $2
                returning guild_id, panel_id, channel_id, title, body, button_label, state, message_id
                "#,
                column(guild),
                panel.0,
                column(message),
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("note the message of panel", Subject(guild, panel))?
        .ok_or(Error::NoPanel { guild, panel })?
        .into_panel()
    }

    /// Notes that its message is gone, or was never sent.
    ///
    /// # Errors
    ///
    /// [`Error::NoPanel`], [`Error::Query`].
    pub async fn set_unposted(&mut self, guild: Id<GuildMarker>, panel: PanelId) -> Result<Panel, Error> {
        async {
            sqlx::query_as!(
                PanelRow,
                r#"
                update panels
                set state = 'unposted', message_id = null
                where guild_id = $1 and panel_id = $2
                returning guild_id, panel_id, channel_id, title, body, button_label, state, message_id
                "#,
                column(guild),
                panel.0,
            )
            .fetch_optional(&mut *self.0.connection().await?)
            .await
        }
        .await
        .attempt("note the loss of panel", Subject(guild, panel))?
        .ok_or(Error::NoPanel { guild, panel })?
        .into_panel()
    }
}

struct Subject(Id<GuildMarker>, PanelId);

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of guild {}", self.1, self.0)
    }
}

struct PanelRow {
    guild_id: i64,
    panel_id: i64,
    channel_id: i64,
    title: String,
    body: String,
    button_label: String,
    state: String,
    message_id: Option<i64>,
}

impl PanelRow {
    fn into_panel(self) -> Result<Panel, Error> {
        let subject = format_args!("panel {}", self.panel_id);
        Ok(Panel {
            guild: id(self.guild_id, "guild_id", subject)?,
            id: PanelId(self.panel_id),
            channel: id(self.channel_id, "channel_id", subject)?,
            state: name(&self.state, "state", subject)?,
            message: id_opt(self.message_id, "message_id", subject)?,
            title: self.title,
            body: self.body,
            button_label: self.button_label,
        })
    }
}
