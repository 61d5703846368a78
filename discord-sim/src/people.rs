//! What people do, for tests and demos: the same functions that stand behind the page's requests.

use serde_json::{Value, json};
use twilight_model::id::{
    Id,
    marker::{ChannelMarker, InteractionMarker, MessageMarker, UserMarker},
};

use crate::{
    ApiError, Sim,
    interactions::{NewInteraction, kind},
    rest::{Body, Draft},
    state::{Interaction, InteractionOrigin, Message, State},
};

impl State {
    /// Sends a plain text as `author`, without asking whether they may.
    pub fn say(&mut self, channel: Id<ChannelMarker>, author: Id<UserMarker>, text: &str) -> Option<Id<MessageMarker>> {
        let body = Body { json: json!({ "content": text }), files: Vec::new() };
        let message = Draft::new(self, channel, author, &body).ok()?.message;
        Some(self.insert_message(message))
    }

    /// The newest message of a channel for which `matches` holds, ephemeral ones too.
    pub fn find_message(&self, channel: Id<ChannelMarker>, matches: impl Fn(&Message) -> bool) -> Option<&Message> {
        self.messages.get(&channel)?.values().rev().find(|message| matches(message))
    }
}

impl Sim {
    /// Presses a button.
    ///
    /// # Errors
    ///
    /// As Discord refuses the click.
    pub fn click(
        &self,
        user: Id<UserMarker>,
        channel: Id<ChannelMarker>,
        message: Id<MessageMarker>,
        custom_id: &str,
    ) -> Result<Id<InteractionMarker>, ApiError> {
        let data = json!({ "component_type": 2, "custom_id": custom_id });
        self.interact(self.wish(kind::COMPONENT, user, channel, Some(message), data)?)
    }

    /// Runs a slash command by its name, with options as `[{"name": …, "type": …, "value": …}]`.
    ///
    /// # Errors
    ///
    /// As Discord refuses the command; 10063 when no application here has it.
    pub fn command(
        &self,
        user: Id<UserMarker>,
        channel: Id<ChannelMarker>,
        name: &str,
        options: &Value,
    ) -> Result<Id<InteractionMarker>, ApiError> {
        let wish = self.command_wish(kind::COMMAND, user, channel, name, options)?;
        self.interact(wish)
    }

    /// Asks for the choices of a half-typed command; the focused option carries `"focused": true`.
    ///
    /// # Errors
    ///
    /// As [`Sim::command`].
    pub fn autocomplete(
        &self,
        user: Id<UserMarker>,
        channel: Id<ChannelMarker>,
        name: &str,
        options: &Value,
    ) -> Result<Id<InteractionMarker>, ApiError> {
        let wish = self.command_wish(kind::AUTOCOMPLETE, user, channel, name, options)?;
        self.interact(wish)
    }

    /// Sends off the form that `opened` was answered with; `values` are custom ids and texts.
    ///
    /// # Errors
    ///
    /// As Discord refuses the form.
    pub fn submit(
        &self,
        opened: Id<InteractionMarker>,
        values: &[(&str, &str)],
    ) -> Result<Id<InteractionMarker>, ApiError> {
        let interaction = self.interaction(opened).ok_or_else(|| ApiError::unknown(10062, "interaction"))?;
        let fields: Vec<Value> =
            values.iter().map(|(custom_id, value)| json!({ "type": 18, "component": { "type": 4, "custom_id": custom_id, "value": value } })).collect();
        let custom_id = interaction.acknowledged.map(|answer| answer.data["custom_id"].clone());
        let data = json!({ "id": opened, "custom_id": custom_id, "components": fields });
        self.interact(NewInteraction {
            kind: kind::MODAL,
            application_id: interaction.application_id,
            user_id: interaction.user_id,
            guild_id: interaction.guild_id,
            channel_id: interaction.channel_id,
            message_id: None,
            data,
            origin: InteractionOrigin { session_id: None, nonce: None },
        })
    }

    /// Waits until an interaction is answered or has failed, and returns it.
    pub async fn answered(&self, id: Id<InteractionMarker>) -> Interaction {
        let done = |interaction: &&Interaction| interaction.acknowledged.is_some() || interaction.failed;
        self.wait_for("an answer to the interaction", |state| state.interactions.get(&id).filter(done).cloned()).await
    }

    /// Waits for the answer's message with its final text: a deferred one until it is filled.
    pub async fn response(&self, id: Id<InteractionMarker>) -> Message {
        self.wait_for("the message that answers the interaction", |state| {
            let interaction = state.interactions.get(&id)?;
            let message = state.message(interaction.channel_id, interaction.response_message_id?)?;
            (message.flags & crate::state::flags::LOADING == 0).then(|| message.clone())
        })
        .await
    }

    fn command_wish(
        &self,
        kind: u8,
        user: Id<UserMarker>,
        channel: Id<ChannelMarker>,
        name: &str,
        options: &Value,
    ) -> Result<NewInteraction, ApiError> {
        let found = self.read(|state| {
            let commands = state
                .applications
                .values()
                .flat_map(|application| application.commands.values().map(move |command| (application.id, command)));
            commands
                .filter(|(_, command)| command.name == name)
                .map(|(application, command)| (application, command.id))
                .next()
        });
        let (application, command) = found.ok_or_else(|| ApiError::unknown(10063, "application command"))?;
        let mut wish = self.wish(
            kind,
            user,
            channel,
            None,
            json!({ "id": command, "name": name, "type": 1, "options": options }),
        )?;
        wish.application_id = application;
        Ok(wish)
    }

    fn wish(
        &self,
        kind: u8,
        user: Id<UserMarker>,
        channel: Id<ChannelMarker>,
        message: Option<Id<MessageMarker>>,
        data: Value,
    ) -> Result<NewInteraction, ApiError> {
        self.read(|state| {
            let found = state.channels.get(&channel).ok_or_else(|| ApiError::unknown(10003, "Channel"))?;
            let application =
                message.and_then(|id| state.message(channel, id)).and_then(|message| message.application_id);
            Ok(NewInteraction {
                kind,
                application_id: application
                    .or_else(|| state.applications.keys().next().copied())
                    .ok_or_else(|| ApiError::unknown(10002, "Application"))?,
                user_id: user,
                guild_id: found.guild_id,
                channel_id: channel,
                message_id: message,
                data,
                origin: InteractionOrigin { session_id: None, nonce: None },
            })
        })
    }
}
