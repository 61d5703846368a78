//! The birth of an interaction: a client's wish, checked against what it is made on.

use axum::{extract::State, http::StatusCode};
use serde_json::{Value, json};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ApplicationMarker, ChannelMarker, GuildMarker, InteractionMarker, MessageMarker, UserMarker},
    },
};

use super::{deliver, kind, options, payload};
use crate::{
    error::ApiError,
    rest::{Body, Caller},
    sim::Sim,
    state::{Audience, Event, Interaction, InteractionOrigin, State as World},
};

/// What a client wants to set off.
#[derive(Clone, Debug)]
pub struct NewInteraction {
    /// Type, see [`kind`].
    pub kind: u8,
    /// Whose command, button or form it is.
    pub application_id: Id<ApplicationMarker>,
    /// Who does it.
    pub user_id: Id<UserMarker>,
    /// Guild, if any.
    pub guild_id: Option<Id<GuildMarker>>,
    /// Where.
    pub channel_id: Id<ChannelMarker>,
    /// The message of a component.
    pub message_id: Option<Id<MessageMarker>>,
    /// `data` as the client sends it.
    pub data: Value,
    /// The client that hears how it went.
    pub origin: InteractionOrigin,
}

/// `POST /interactions`, the route of Discord's own clients.
pub(super) async fn by_client(State(sim): State<Sim>, caller: Caller, body: Body) -> Result<StatusCode, ApiError> {
    let json = &body.json;
    let id = |field: &str| json[field].as_str().and_then(|id| id.parse::<u64>().ok()).filter(|id| *id != 0);
    let required =
        |field: &str| id(field).ok_or_else(|| ApiError::field(field, "BASE_TYPE_REQUIRED", "This field is required"));
    let wish = NewInteraction {
        kind: json["type"].as_u64().and_then(|kind| u8::try_from(kind).ok()).unwrap_or_default(),
        application_id: Id::new(required("application_id")?),
        user_id: caller.user(),
        guild_id: id("guild_id").map(Id::new),
        channel_id: Id::new(required("channel_id")?),
        message_id: id("message_id").map(Id::new),
        data: json["data"].clone(),
        origin: InteractionOrigin {
            session_id: json["session_id"].as_str().map(str::to_owned),
            nonce: json.get("nonce").cloned(),
        },
    };
    sim.interact(wish)?;
    Ok(StatusCode::NO_CONTENT)
}

impl Sim {
    /// Sets off an interaction as a client does, and delivers it to the application.
    ///
    /// # Errors
    ///
    /// What Discord answers its client: unknown command, component or modal, missing permission, bad options.
    pub fn interact(&self, wish: NewInteraction) -> Result<Id<InteractionMarker>, ApiError> {
        let interaction = self.write(|state| {
            let interaction = build(state, wish)?;
            state.emit(Event {
                kind: "INTERACTION_CREATE",
                data: json!({ "id": interaction.id, "nonce": interaction.origin.nonce }),
                audience: Audience::Person(interaction.user_id),
            });
            state.interactions.insert(interaction.id, interaction.clone());
            Ok::<_, ApiError>(interaction)
        })?;
        let id = interaction.id;
        tokio::spawn(deliver::deliver(self.clone(), interaction));
        Ok(id)
    }
}

fn build(state: &World, wish: NewInteraction) -> Result<Interaction, ApiError> {
    let channel = state.channels.get(&wish.channel_id).ok_or_else(|| ApiError::unknown(10003, "Channel"))?;
    if channel.guild_id != wish.guild_id || !state.can_view(channel, wish.user_id) {
        return Err(ApiError::missing_access());
    }
    let application =
        state.applications.get(&wish.application_id).ok_or_else(|| ApiError::unknown(10002, "Application"))?;
    let (data, message_id) = match wish.kind {
        kind::COMMAND | kind::AUTOCOMPLETE => {
            let command =
                wish.data["id"].as_str().and_then(|id| id.parse().ok()).and_then(|id| application.commands.get(&id));
            let command = command.filter(|command| command.guild_id.is_none_or(|only| Some(only) == wish.guild_id));
            let command = command.ok_or_else(|| ApiError::unknown(10063, "application command"))?;
            let needed = command.definition["default_member_permissions"]
                .as_str()
                .and_then(|bits| bits.parse().ok())
                .map(Permissions::from_bits_truncate);
            let own = state.channel_permissions(channel, wish.user_id);
            if wish.guild_id.is_some() && !own.contains(needed.unwrap_or(Permissions::empty())) {
                return Err(ApiError::new(
                    StatusCode::FORBIDDEN,
                    50013,
                    "You do not have permission to use this command",
                ));
            }
            if !own.contains(Permissions::USE_SLASH_COMMANDS) {
                return Err(ApiError::missing_permissions());
            }
            (options::command_data(state, command, &wish)?, None)
        }
        kind::COMPONENT => {
            let message = wish
                .message_id
                .and_then(|id| state.message(wish.channel_id, id))
                .filter(|message| message.only_for.is_none_or(|reader| reader == wish.user_id));
            let message = message.ok_or_else(|| ApiError::unknown(10008, "Message"))?;
            if message.application_id != Some(wish.application_id) {
                return Err(ApiError::field(
                    "application_id",
                    "INTERACTION_APPLICATION_INVALID",
                    "The message is not of this application",
                ));
            }
            (options::component_data(state, &message.components, &wish)?, Some(message.id))
        }
        kind::MODAL => {
            let opened =
                wish.data["id"].as_str().and_then(|id| id.parse().ok()).and_then(|id| state.interactions.get(&id));
            let opened = opened.filter(|opened| {
                opened.user_id == wish.user_id && opened.acknowledged.as_ref().is_some_and(|answer| answer.kind == 9)
            });
            let opened = opened.ok_or_else(|| ApiError::unknown(10062, "interaction"))?;
            let modal = opened.acknowledged.as_ref().map(|answer| answer.data.clone()).unwrap_or_default();
            (options::modal_data(state, &modal, &wish)?, opened.message_id)
        }
        _ => return Err(ApiError::field("type", "BASE_TYPE_CHOICES", "Value must be one of {2, 3, 4, 5}.")),
    };
    let id: Id<InteractionMarker> = state.new_id();
    let mut interaction = Interaction {
        id,
        application_id: wish.application_id,
        kind: wish.kind,
        token: format!("aW50ZXJhY3Rpb246{id}{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()),
        user_id: wish.user_id,
        guild_id: wish.guild_id,
        channel_id: wish.channel_id,
        message_id,
        created_at: state.now(),
        payload: Value::Null,
        origin: wish.origin,
        acknowledged: None,
        response_message_id: None,
        failed: false,
    };
    interaction.payload = payload::payload(state, &interaction, data);
    Ok(interaction)
}

/// A clicked component, or a filled form, is answered to its client by these.
pub(super) fn tell_client(state: &mut World, interaction: &Interaction, kind: &'static str, mut data: Value) {
    data["id"] = json!(interaction.id);
    data["nonce"] = json!(interaction.origin.nonce);
    state.emit(Event { kind, data, audience: Audience::Person(interaction.user_id) });
}
