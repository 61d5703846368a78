//! Which intent an event needs, and what a bot without MESSAGE_CONTENT is not shown.

use serde_json::{Value, json};

use crate::state::{Event, Principal, State};

/// Members' comings, goings and changes.
pub(super) const GUILD_MEMBERS: u64 = 1 << 1;

/// Message text, embeds, components and attachments of others.
pub(super) const MESSAGE_CONTENT: u64 = 1 << 15;
/// Intents that must be enabled for an application.
pub(super) const PRIVILEGED: u64 = GUILD_MEMBERS | 1 << 8 | MESSAGE_CONTENT;
/// Every bit that Discord knows (0–16, 20, 21, 24, 25).
pub(super) const KNOWN: u64 = 0x1_FFFF | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25;

/// The intent that a session must have for an event; `None` when every session gets it.
pub(super) fn required(kind: &str, in_guild: bool) -> Option<u64> {
    let bit = match kind {
        "GUILD_CREATE" | "GUILD_UPDATE" | "GUILD_DELETE" | "GUILD_ROLE_CREATE" | "GUILD_ROLE_UPDATE"
        | "GUILD_ROLE_DELETE" => 0,
        "CHANNEL_CREATE" | "CHANNEL_UPDATE" | "CHANNEL_DELETE" => 0,
        "CHANNEL_PINS_UPDATE" => {
            if in_guild {
                0
            } else {
                12
            }
        }
        "THREAD_CREATE"
        | "THREAD_UPDATE"
        | "THREAD_DELETE"
        | "THREAD_LIST_SYNC"
        | "THREAD_MEMBER_UPDATE"
        | "THREAD_MEMBERS_UPDATE" => 0,
        "GUILD_MEMBER_ADD" | "GUILD_MEMBER_UPDATE" | "GUILD_MEMBER_REMOVE" => 1,
        "GUILD_BAN_ADD" | "GUILD_BAN_REMOVE" | "GUILD_AUDIT_LOG_ENTRY_CREATE" => 2,
        "GUILD_EMOJIS_UPDATE" | "GUILD_STICKERS_UPDATE" => 3,
        "WEBHOOKS_UPDATE" => 5,
        "PRESENCE_UPDATE" => 8,
        "MESSAGE_CREATE" | "MESSAGE_UPDATE" | "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK" => {
            if in_guild {
                9
            } else {
                12
            }
        }
        "MESSAGE_REACTION_ADD"
        | "MESSAGE_REACTION_REMOVE"
        | "MESSAGE_REACTION_REMOVE_ALL"
        | "MESSAGE_REACTION_REMOVE_EMOJI" => {
            if in_guild {
                10
            } else {
                13
            }
        }
        "TYPING_START" => {
            if in_guild {
                11
            } else {
                14
            }
        }
        _ => return None,
    };
    Some(1 << bit)
}

/// Whether an event is about the session's own member: that needs no intent.
pub(super) fn about_self(event: &Event, viewer: Principal) -> bool {
    event.kind == "GUILD_MEMBER_UPDATE" && event.data["user"]["id"] == json!(viewer.user())
}

/// Whether a change of a thread's members may be told: without the members intent a bot hears only of itself.
pub(super) fn members_shown(event: &Event, intents: u64, viewer: Principal) -> bool {
    if event.kind != "THREAD_MEMBERS_UPDATE" || intents & GUILD_MEMBERS != 0 {
        return true;
    }
    let me = json!(viewer.user());
    let among = |list: &str, is_me: &dyn Fn(&Value) -> bool| {
        event.data[list].as_array().is_some_and(|all| all.iter().any(is_me))
    };
    among("added_members", &|member| member["user_id"] == me) || among("removed_member_ids", &|id| *id == me)
}

/// The message without what only the intent shows, or `None` when `viewer` may see it whole: its own messages, direct messages, and messages
/// that mention it.
pub(crate) fn without_content(message: &Value, viewer: Principal) -> Option<Value> {
    if message.get("guild_id").is_none() || message.get("content").is_none() {
        return None;
    }
    if is_shown(message, viewer) {
        let hidden = message["referenced_message"].is_object() && !is_shown(&message["referenced_message"], viewer);
        return hidden.then(|| {
            let mut partly = message.clone();
            hide_referenced(&mut partly, viewer);
            partly
        });
    }
    let mut bare = message.clone();
    bare["content"] = json!("");
    for list in ["embeds", "attachments", "components"] {
        bare[list] = json!([]);
    }
    if let Some(fields) = bare.as_object_mut() {
        fields.remove("poll");
    }
    hide_referenced(&mut bare, viewer);
    Some(bare)
}

/// Whether a message is the viewer's own or mentions them.
fn is_shown(message: &Value, viewer: Principal) -> bool {
    let me = json!(viewer.user());
    message["author"]["id"] == me
        || message["mentions"].as_array().is_some_and(|mentions| mentions.iter().any(|user| user["id"] == me))
}

/// The rules hold for the message that is replied to as well.
fn hide_referenced(message: &mut Value, viewer: Principal) {
    let guild = message["guild_id"].clone();
    let Some(referenced) = message.get_mut("referenced_message").filter(|referenced| referenced.is_object()) else {
        return;
    };
    referenced["guild_id"] = guild;
    let bare = without_content(referenced, viewer);
    if let Some(bare) = bare {
        *referenced = bare;
    }
    if let Some(fields) = referenced.as_object_mut() {
        fields.remove("guild_id");
    }
}

/// Whether an application may use the intents it asks for: 4013 for unknown bits, 4014 for privileged ones that are off.
pub(super) fn check(state: &State, principal: Principal, intents: u64) -> Result<(), u16> {
    let Principal::Bot(id) = principal else { return Ok(()) };
    if intents & !KNOWN != 0 {
        return Err(4013);
    }
    let enabled = state.applications.get(&id).map_or(0, |application| application.privileged_intents);
    if intents & PRIVILEGED & !enabled != 0 { Err(4014) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use twilight_model::id::Id;

    use super::*;

    #[test]
    fn content_is_hidden_from_a_bot_that_is_not_mentioned() {
        let message = json!({ "guild_id": "1", "author": { "id": "2" }, "content": "hello", "mentions": [], "embeds": [{}], "attachments": [], "components": [] });
        let bare = without_content(&message, Principal::Bot(Id::new(9))).unwrap();
        assert_eq!((&bare["content"], &bare["embeds"]), (&json!(""), &json!([])));
        let mut mentioned = message;
        mentioned["mentions"] = json!([{ "id": "9" }]);
        assert!(without_content(&mentioned, Principal::Bot(Id::new(9))).is_none());
    }

    #[test]
    fn a_reply_that_mentions_the_bot_does_not_show_what_it_replies_to() {
        let message = json!({
            "guild_id": "1", "author": { "id": "2" }, "content": "look, <@9>", "mentions": [{ "id": "9" }],
            "referenced_message": { "author": { "id": "3" }, "content": "secret", "mentions": [] },
        });
        let bare = without_content(&message, Principal::Bot(Id::new(9))).unwrap();
        assert_eq!(bare["content"], "look, <@9>");
        assert_eq!(bare["referenced_message"]["content"], "");
        assert!(bare["referenced_message"].get("guild_id").is_none());
    }

    #[test]
    fn a_bot_without_the_members_intent_hears_of_itself_only() {
        let event = |added: &str| Event {
            kind: "THREAD_MEMBERS_UPDATE",
            data: json!({ "added_members": [{ "user_id": added }], "removed_member_ids": [] }),
            audience: crate::state::Audience::Guild(Id::new(1)),
        };
        assert!(members_shown(&event("9"), 1, Principal::Bot(Id::new(9))));
        assert!(!members_shown(&event("8"), 1, Principal::Bot(Id::new(9))));
        assert!(members_shown(&event("8"), GUILD_MEMBERS, Principal::Bot(Id::new(9))));
    }
}
