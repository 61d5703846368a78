//! Messages made of bodies, by whatever route they come: checked, with their files stored and their mentions found.

use serde_json::{Value, json};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, MessageMarker, RoleMarker, UserMarker},
    },
};

use super::{Body, components};
use crate::{
    check,
    error::ApiError,
    state::{Message, State as World, flags},
};

/// Files of one message.
const MAX_FILES: usize = 10;

/// A message built from a body, checked as Discord checks it.
pub(crate) struct Draft {
    /// The message, not stored yet.
    pub(crate) message: Message,
}

impl Draft {
    /// Checks a create body and builds the message of `author`.
    pub(crate) fn new(
        state: &mut World,
        channel: Id<ChannelMarker>,
        author: Id<UserMarker>,
        body: &Body,
    ) -> Result<Self, ApiError> {
        let json = &body.json;
        check::message(json, !body.files.is_empty())?;
        if body.files.len() > MAX_FILES {
            return Err(ApiError::field("attachments", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length."));
        }
        let content = json["content"].as_str().unwrap_or_default().to_owned();
        let (mentions, mention_roles, mention_everyone) =
            allowed_mentions(state, channel, author, &content, &json["allowed_mentions"]);
        let attachments = store_files(state, body);
        let message = Message {
            id: state.new_id(),
            channel_id: channel,
            author_id: author,
            kind: 0,
            content,
            embeds: embeds(json),
            components: components(json, &attachments),
            attachments,
            flags: json["flags"].as_u64().unwrap_or(0)
                & (flags::SUPPRESS_EMBEDS | flags::EPHEMERAL | flags::SUPPRESS_NOTIFICATIONS | flags::IS_COMPONENTS_V2),
            created_at: state.now(),
            edited_at: None,
            pinned: false,
            nonce: json.get("nonce").filter(|nonce| !nonce.is_null()).cloned(),
            reference: None,
            webhook_id: None,
            webhook_name: None,
            application_id: state.users.get(&author).filter(|user| user.bot).map(|user| user.id.cast()),
            interaction: None,
            only_for: None,
            mentions,
            mention_roles,
            mention_everyone,
            reactions: Vec::new(),
        };
        Ok(Self { message })
    }

    /// Checks an edit body, applies it, and answers the message object. Fields that are not named stay.
    pub(crate) fn edit(
        state: &mut World,
        channel: Id<ChannelMarker>,
        id: Id<MessageMarker>,
        body: &Body,
    ) -> Result<Value, ApiError> {
        let json = &body.json;
        let before = state.message(channel, id).ok_or_else(|| ApiError::unknown(10008, "Message"))?;
        let author = before.author_id;
        check::message_edit(json, before.flags & flags::IS_COMPONENTS_V2 != 0)?;
        let files = store_files(state, body);
        let content = json.get("content").map(|content| content.as_str().unwrap_or_default().to_owned());
        let mentions = content
            .as_ref()
            .map(|content| allowed_mentions(state, channel, author, content, &json["allowed_mentions"]));
        let now = state.now();
        let kept: Option<Vec<String>> = json
            .get("attachments")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(|a| a["id"].as_str().map(str::to_owned)).collect());
        let message = state.update_message(channel, id, |message| {
            if let Some(content) = content {
                message.content = content;
            }
            if let Some((users, roles, everyone)) = mentions {
                message.mentions = users;
                message.mention_roles = roles;
                message.mention_everyone = everyone;
            }
            if json.get("embeds").is_some() {
                message.embeds = embeds(json);
            }
            if let Some(kept) = kept {
                message.attachments.retain(|attachment| kept.contains(&attachment.id.to_string()));
            }
            message.attachments.extend(files);
            if json.get("components").is_some() {
                message.components = components(json, &message.attachments);
            }
            if let Some(bits) = json["flags"].as_u64() {
                let settable = flags::SUPPRESS_EMBEDS | flags::IS_COMPONENTS_V2;
                message.flags = message.flags & !flags::SUPPRESS_EMBEDS | bits & settable;
            }
            // The text that a deferred answer was waiting for is no edit to its readers.
            if message.flags & flags::LOADING == 0 {
                message.edited_at = Some(now);
            }
            message.flags &= !flags::LOADING;
        });
        Ok(state.message_json(&message.ok_or_else(|| ApiError::unknown(10008, "Message"))?))
    }
}

fn embeds(json: &Value) -> Vec<Value> {
    let list = json["embeds"].as_array().cloned().unwrap_or_default();
    list.into_iter()
        .filter(Value::is_object)
        .map(|mut embed| {
            embed["type"] = json!("rich");
            if let Some(fields) = embed.as_object_mut() {
                fields.retain(|_, value| !value.is_null());
            }
            embed
        })
        .collect()
}

fn store_files(state: &mut World, body: &Body) -> Vec<crate::state::Attachment> {
    let described = body.json["attachments"].as_array().cloned().unwrap_or_default();
    body.files
        .iter()
        .map(|file| {
            let about = described.iter().find(|about| {
                about["id"].as_str() == Some(&file.index)
                    || about["id"].as_u64().map(|id| id.to_string()).as_deref() == Some(&file.index)
            });
            let description = about.and_then(|about| about["description"].as_str()).map(str::to_owned);
            state.store_file(&file.filename, &file.content_type, description, file.bytes.clone())
        })
        .collect()
}

/// Whom a text mentions, as `allowed_mentions` and the author's permissions let it: users, roles, everyone.
pub(crate) fn allowed_mentions(
    state: &World,
    channel: Id<ChannelMarker>,
    author: Id<UserMarker>,
    content: &str,
    allowed: &Value,
) -> (Vec<Id<UserMarker>>, Vec<Id<RoleMarker>>, bool) {
    let parse = |kind: &str| {
        allowed.is_null() || allowed["parse"].as_array().is_some_and(|list| list.iter().any(|entry| entry == kind))
    };
    let listed = |list: &str, id: &str| {
        allowed[list].as_array().is_some_and(|ids| ids.iter().any(|entry| entry.as_str() == Some(id)))
    };
    let permissions = state.permissions_in(channel, author);
    let (mut users, mut roles) = (Vec::new(), Vec::new());
    for piece in content.split('<').skip(1) {
        let Some((inside, _)) = piece.split_once('>') else { continue };
        if let Some(id) = inside.strip_prefix("@&") {
            if let Ok(role) = id.parse()
                && (parse("roles") || listed("roles", id))
                && !roles.contains(&role)
            {
                roles.push(role);
            }
        } else if let Some(id) = inside.strip_prefix('@').map(|id| id.trim_start_matches('!'))
            && let Ok(user) = id.parse()
            && state.users.contains_key(&user)
            && (parse("users") || listed("users", id))
            && !users.contains(&user)
        {
            users.push(user);
        }
    }
    let everyone = (content.contains("@everyone") || content.contains("@here"))
        && parse("everyone")
        // A webhook is no user, and may.
        && (permissions.contains(Permissions::MENTION_EVERYONE) || !state.users.contains_key(&author));
    (users, roles, everyone)
}
