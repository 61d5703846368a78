use serde_json::Value;
use time::OffsetDateTime;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, GuildMarker, InteractionMarker, MessageMarker, UserMarker},
};

/// A click, command, form or autocomplete query, from its birth to the end of its token.
#[derive(Clone, Debug)]
pub struct Interaction {
    /// Id.
    pub id: Id<InteractionMarker>,
    /// Who must answer.
    pub application_id: Id<ApplicationMarker>,
    /// Type: 2 command, 3 component, 4 autocomplete, 5 modal submit.
    pub kind: u8,
    /// Good for answers within 3 s and for follow-ups within 15 min.
    pub token: String,
    /// Who.
    pub user_id: Id<UserMarker>,
    /// Guild, if any.
    pub guild_id: Option<Id<GuildMarker>>,
    /// Where.
    pub channel_id: Id<ChannelMarker>,
    /// The message whose component was used.
    pub message_id: Option<Id<MessageMarker>>,
    /// When made; both deadlines count from here.
    pub created_at: OffsetDateTime,
    /// What was sent to the application.
    pub payload: Value,
    /// Who waits for the outcome.
    pub origin: InteractionOrigin,
    /// The first answer.
    pub acknowledged: Option<Acknowledgement>,
    /// The answer's message (`@original`).
    pub response_message_id: Option<Id<MessageMarker>>,
    /// Failed: no answer in time, or a bad one. Its token is dead.
    pub failed: bool,
}

/// The client that made an interaction.
#[derive(Clone, Debug)]
pub struct InteractionOrigin {
    /// The gateway session to tell, when a client made it.
    pub session_id: Option<String>,
    /// The client's own mark.
    pub nonce: Option<Value>,
}

/// How an interaction was answered first.
#[derive(Clone, Debug, PartialEq)]
pub struct Acknowledgement {
    /// Callback type: 4 message, 5 deferred, 6 deferred update, 7 update, 8 autocomplete, 9 modal.
    pub kind: u8,
    /// Its data.
    pub data: Value,
    /// When.
    pub at: OffsetDateTime,
}
