//! The panel that `/setup` posts.

use common::discord;
use database::NewPanel;
use model::{CustomId, Panel, PanelState};
use serde::Deserialize;
use serde_json::Value;
use twilight_model::{
    channel::message::{AllowedMentions, component::ButtonStyle},
    id::{
        Id,
        marker::{ChannelMarker, GuildMarker, MessageMarker, UserMarker},
    },
};
use twilight_util::builder::embed::EmbedBuilder;

use super::{Broken, Preset, made::Thing};
use crate::{
    context::Context,
    refused::{Failure, failure},
    reply::{button, row},
    text::{Text, text},
};

/// A message that may be a panel's.
#[derive(Deserialize)]
struct Found {
    id: Id<MessageMarker>,
    author: Author,
    #[serde(default)]
    components: Value,
}

#[derive(Deserialize)]
struct Author {
    id: Id<UserMarker>,
}

/// Posts the preset's panel into the channel, unless it stands there.
pub(super) async fn post(
    cx: &Context,
    guild: Id<GuildMarker>,
    channel: Id<ChannelMarker>,
    preset: Preset,
) -> Result<Thing<MessageMarker>, Broken> {
    let new = NewPanel {
        guild,
        channel,
        title: preset.title().to_string(),
        body: preset.body().to_string(),
        button_label: text("panel-button").to_string(),
    };
    let known = cx.db.panels().list(guild).await?;
    let known = known.into_iter().find(|panel| panel.channel == channel && panel.title == new.title);
    let panel = match known {
        Some(panel) => panel,
        None => cx.db.panels().insert(&new).await?,
    };
    let standing = match (panel.state, panel.message) {
        (PanelState::Posted, Some(message)) => still_there(cx, channel, message).await?,
        // It was sent, and we never learnt whether it arrived.
        (PanelState::Posting, _) => search(cx, &panel).await?,
        _ => None,
    };
    if let Some(message) = standing {
        cx.db.panels().set_posted(guild, panel.id, message).await?;
        return Ok(Thing::reused(message));
    }
    cx.db.panels().set_posting(guild, panel.id, channel).await?;
    match send(cx, &panel).await {
        Ok(message) => {
            cx.db.panels().set_posted(guild, panel.id, message).await?;
            Ok(Thing::made(message))
        }
        Err(error) => {
            if failure(&error) != Failure::Later {
                cx.db.panels().set_unposted(guild, panel.id).await?;
            }
            Err(error.into())
        }
    }
}

async fn send(cx: &Context, panel: &Panel) -> Result<Id<MessageMarker>, discord::Error> {
    let embeds = [EmbedBuilder::new().title(panel.title.as_str()).description(panel.body.as_str()).build()];
    let label: Text = text("panel-button");
    let open = CustomId::Open(panel.id);
    let components = [row(vec![button(ButtonStyle::Primary, &label, open, false)])];
    let mentions = AllowedMentions::default();
    let request = cx
        .discord
        .requests()
        .create_message(panel.channel)
        .embeds(&embeds)
        .components(&components)
        .allowed_mentions(Some(&mentions));
    cx.create(request).await
}

async fn still_there(
    cx: &Context,
    channel: Id<ChannelMarker>,
    message: Id<MessageMarker>,
) -> Result<Option<Id<MessageMarker>>, discord::Error> {
    let path = format!("channels/{channel}/messages/{message}");
    match cx.discord.get_json::<Found>(&path).await {
        Ok(found) => Ok(Some(found.id)),
        Err(error) if failure(&error) == Failure::Gone => Ok(None),
        Err(error) => Err(error),
    }
}

async fn search(cx: &Context, panel: &Panel) -> Result<Option<Id<MessageMarker>>, discord::Error> {
    let path = format!("channels/{}/messages?limit=100", panel.channel);
    let messages: Vec<Found> = cx.discord.get_json(&path).await?;
    let open = format!("\"{}\"", CustomId::Open(panel.id));
    Ok(messages
        .into_iter()
        .find(|message| message.author.id == cx.bot_user() && message.components.to_string().contains(&open))
        .map(|message| message.id))
}
