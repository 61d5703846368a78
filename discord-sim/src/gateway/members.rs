//! Op 8: members of a guild in chunks, by id, by the beginning of their names, or all.

use serde_json::{Value, json};
use twilight_model::id::{
    Id,
    marker::{GuildMarker, UserMarker},
};

use super::intents;
use crate::state::State;

/// Members in one GUILD_MEMBERS_CHUNK.
const CHUNK: usize = 1000;

/// Answers a request of the session `id`. A bot that asks for all members without the intent hears nothing, as at Discord.
pub(super) fn request(state: &mut State, id: &str, d: &Value) {
    let Some(guild_id) = d["guild_id"].as_str().and_then(|id| id.parse::<Id<GuildMarker>>().ok()) else { return };
    let Some(mut session) = state.sessions.by_id.remove(id) else { return };
    let limit = d["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0);
    let query = d["query"].as_str().unwrap_or_default().to_lowercase();
    let wants_all = d["user_ids"].is_null() && query.is_empty();
    let allowed = !wants_all || session.intents & intents::GUILD_MEMBERS != 0;
    let belongs =
        state.guilds.get(&guild_id).is_some_and(|guild| guild.members.contains_key(&session.principal.user()));
    if allowed && belongs {
        let (found, not_found) = match &d["user_ids"] {
            Value::Null => (by_name(state, guild_id, &query, limit), Vec::new()),
            Value::Array(ids) => by_id(state, guild_id, ids),
            one => by_id(state, guild_id, std::slice::from_ref(one)),
        };
        let count = found.len().div_ceil(CHUNK).max(1);
        for index in 0..count {
            let members: Vec<_> = found.iter().skip(index * CHUNK).take(CHUNK).collect();
            let mut chunk =
                json!({ "guild_id": guild_id, "members": members, "chunk_index": index, "chunk_count": count });
            if !not_found.is_empty() {
                chunk["not_found"] = json!(not_found);
            }
            if d["presences"] == true {
                chunk["presences"] = json!([]);
            }
            if let Some(nonce) = d.get("nonce").filter(|nonce| !nonce.is_null()) {
                chunk["nonce"] = nonce.clone();
            }
            session.push("GUILD_MEMBERS_CHUNK", &chunk.to_string(), Some(guild_id), &mut state.ledger);
        }
    }
    state.sessions.by_id.insert(id.to_owned(), session);
}

fn by_name(state: &State, guild: Id<GuildMarker>, query: &str, limit: usize) -> Vec<Value> {
    let limit = if limit == 0 { usize::MAX } else { limit };
    let members = state.guilds.get(&guild).into_iter().flat_map(|guild| guild.members.values());
    let matching = members.filter(|member| {
        let name = state.users.get(&member.user_id).map(|user| user.username.to_lowercase()).unwrap_or_default();
        let nick = member.nick.as_deref().unwrap_or_default().to_lowercase();
        name.starts_with(query) || nick.starts_with(query)
    });
    matching.take(limit).filter_map(|member| state.member_json(guild, member.user_id)).collect()
}

fn by_id(state: &State, guild: Id<GuildMarker>, ids: &[Value]) -> (Vec<Value>, Vec<Value>) {
    let (mut found, mut not_found) = (Vec::new(), Vec::new());
    for id in ids {
        let user = id.as_str().and_then(|id| id.parse::<Id<UserMarker>>().ok());
        match user.and_then(|user| state.member_json(guild, user)) {
            Some(member) => found.push(member),
            None => not_found.push(id.clone()),
        }
    }
    (found, not_found)
}
