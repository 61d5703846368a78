//! What a handler answers, as a value, and its form on the wire.

use twilight_model::{
    application::command::{CommandOptionChoice, CommandOptionChoiceValue},
    channel::message::{
        AllowedMentions, Component, Embed, MessageFlags,
        component::{ActionRow, Button, ButtonStyle},
    },
    http::interaction::{InteractionResponse, InteractionResponseData, InteractionResponseType},
};

use crate::text::Text;

/// At most so many suggestions are taken by Discord.
pub const MAX_CHOICES: usize = 25;

/// At most so many characters of a suggestion are taken.
pub const MAX_CHOICE: usize = 100;

/// The answer to an interaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A message that only the person sees.
    Message(Message),
    /// The message of the pressed button turns into this one.
    Update(Message),
    /// A form is shown.
    Modal(Modal),
    /// Suggestions for the option that is being typed.
    Choices(Vec<String>),
}

/// Text, embeds and buttons of an answer. Nobody is pinged by it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// The text.
    pub content: String,
    /// Embeds.
    pub embeds: Vec<Embed>,
    /// Buttons.
    pub components: Vec<Component>,
}

/// A form.
#[derive(Clone, Debug, PartialEq)]
pub struct Modal {
    /// What comes back with it.
    pub custom_id: String,
    /// Its heading.
    pub title: String,
    /// Its fields.
    pub components: Vec<Component>,
}

impl Reply {
    /// A private message of text alone.
    #[must_use]
    pub fn text(text: &Text) -> Self {
        Reply::Message(Message::text(text))
    }

    /// The message of the pressed button turns into text alone.
    #[must_use]
    pub fn update(text: &Text) -> Self {
        Reply::Update(Message::text(text))
    }

    /// The body that answers the interaction.
    #[must_use]
    pub fn into_response(self) -> InteractionResponse {
        let (kind, data) = match self {
            Reply::Message(message) => (
                InteractionResponseType::ChannelMessageWithSource,
                InteractionResponseData { flags: Some(MessageFlags::EPHEMERAL), ..message.into_data() },
            ),
            Reply::Update(message) => (InteractionResponseType::UpdateMessage, message.into_data()),
            Reply::Modal(modal) => (
                InteractionResponseType::Modal,
                InteractionResponseData {
                    custom_id: Some(modal.custom_id),
                    title: Some(modal.title),
                    components: Some(modal.components),
                    ..InteractionResponseData::default()
                },
            ),
            Reply::Choices(choices) => (
                InteractionResponseType::ApplicationCommandAutocompleteResult,
                InteractionResponseData {
                    choices: Some(choices.into_iter().take(MAX_CHOICES).map(choice).collect()),
                    ..InteractionResponseData::default()
                },
            ),
        };
        InteractionResponse { kind, data: Some(data) }
    }
}

impl Message {
    /// Text alone.
    #[must_use]
    pub fn text(text: &Text) -> Self {
        Message { content: text.to_string(), ..Message::default() }
    }

    fn into_data(self) -> InteractionResponseData {
        InteractionResponseData {
            content: Some(self.content),
            embeds: Some(self.embeds),
            components: Some(self.components),
            allowed_mentions: Some(AllowedMentions::default()),
            ..InteractionResponseData::default()
        }
    }
}

/// "The answer comes later", in private.
#[must_use]
pub fn deferred() -> InteractionResponse {
    InteractionResponse {
        kind: InteractionResponseType::DeferredChannelMessageWithSource,
        data: Some(InteractionResponseData {
            flags: Some(MessageFlags::EPHEMERAL),
            ..InteractionResponseData::default()
        }),
    }
}

/// "We live".
#[must_use]
pub fn pong() -> InteractionResponse {
    InteractionResponse { kind: InteractionResponseType::Pong, data: None }
}

/// Buttons side by side.
#[must_use]
pub fn row(components: Vec<Component>) -> Component {
    Component::ActionRow(ActionRow { components, id: None })
}

/// A button.
#[must_use]
pub fn button(style: ButtonStyle, label: &Text, custom_id: model::CustomId, disabled: bool) -> Component {
    Component::Button(Button {
        custom_id: Some(custom_id.to_string()),
        disabled,
        emoji: None,
        id: None,
        label: Some(label.to_string()),
        sku_id: None,
        style,
        url: None,
    })
}

fn choice(text: String) -> CommandOptionChoice {
    let text: String = text.chars().take(MAX_CHOICE).collect();
    CommandOptionChoice { name: text.clone(), name_localizations: None, value: CommandOptionChoiceValue::String(text) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_private_and_pings_nobody() {
        let reply = Reply::Message(Message { content: "hello".to_owned(), ..Message::default() });
        assert_eq!(
            serde_json::to_value(reply.into_response()).unwrap(),
            json!({"type": 4, "data": {
                "content": "hello", "embeds": [], "components": [], "flags": 64, "allowed_mentions": {"parse": []},
            }})
        );
    }

    #[test]
    fn an_update_takes_the_buttons_away() {
        let reply = Reply::Update(Message::default()).into_response();
        let json = serde_json::to_value(reply).unwrap();
        assert_eq!(json["type"], 7);
        assert_eq!(json["data"]["components"], json!([]));
    }

    #[test]
    fn suggestions_keep_to_discords_limits() {
        let reply = Reply::Choices(vec!["ü".repeat(101); 30]).into_response();
        let json = serde_json::to_value(reply).unwrap();
        let choices = json["data"]["choices"].as_array().unwrap();
        assert_eq!(choices.len(), 25);
        assert_eq!(choices[0]["name"], "ü".repeat(100));
        assert_eq!(choices[0]["value"], choices[0]["name"]);
    }
}
