//! What happens in a guild.

use serde_json::{Value, json};

use super::objects::{CHANNELS, EMOJIS, Make, ROLES, THREADS};

/// An event's name, and how it is made: as often as it stands here.
type Kind = (&'static str, fn(&mut Make<'_>) -> Value);

/// Every kind that the cache reads of a guild, and some that it does not.
static KINDS: &[Kind] = &[
    ("GUILD_CREATE", guild_create),
    ("GUILD_UPDATE", guild_update),
    ("GUILD_UPDATE", guild_update),
    ("GUILD_DELETE", guild_delete),
    ("GUILD_EMOJIS_UPDATE", emojis),
    ("CHANNEL_CREATE", channel),
    ("CHANNEL_UPDATE", channel),
    ("CHANNEL_UPDATE", channel),
    ("CHANNEL_DELETE", channel),
    ("THREAD_CREATE", thread),
    ("THREAD_CREATE", thread),
    ("THREAD_UPDATE", thread),
    ("THREAD_UPDATE", thread),
    ("THREAD_DELETE", thread_gone),
    ("THREAD_LIST_SYNC", threads),
    ("GUILD_ROLE_CREATE", role),
    ("GUILD_ROLE_UPDATE", role),
    ("GUILD_ROLE_DELETE", role_gone),
    ("GUILD_MEMBER_ADD", member),
    ("GUILD_MEMBER_UPDATE", member),
    ("GUILD_MEMBER_UPDATE", member),
    ("GUILD_MEMBER_REMOVE", member_gone),
    ("GUILD_MEMBERS_CHUNK", chunk),
    ("MESSAGE_CREATE", message),
    ("MESSAGE_CREATE", message),
    ("INTERACTION_CREATE", interaction),
    ("TYPING_START", typing),
];

pub(crate) fn any(make: &mut Make<'_>) -> (&'static str, Value) {
    let (kind, of) = make.chance.pick(KINDS);
    (kind, of(make))
}

pub(crate) fn guild_create(make: &mut Make<'_>) -> Value {
    if make.chance.one_in(8) { outage(make) } else { whole(make) }
}

pub(crate) fn outage(make: &mut Make<'_>) -> Value {
    json!({ "id": make.guild.to_string(), "unavailable": true })
}

pub(crate) fn whole(make: &mut Make<'_>) -> Value {
    let mut guild = make.guild();
    let mut lists = json!({
        "unavailable": false,
        "member_count": make.chance.between(0, 9),
        "joined_at": "2024-01-02T03:04:05.000000+00:00",
        "channels": make.list(&CHANNELS, Make::channel),
        "threads": make.list(&THREADS, Make::thread),
        "roles": make.list(&ROLES, Make::role),
        "emojis": make.list(&EMOJIS, Make::emoji),
        "members": (0..make.chance.below(4)).map(|_| make.member()).collect::<Value>(),
        "presences": [{ "user": { "id": "1" } }],
        "voice_states": [],
    });
    for (name, value) in lists.as_object_mut().unwrap() {
        match make.chance.below(20) {
            0 => {}
            1 => drop(guild.insert(name.clone(), Value::Null)),
            _ => drop(guild.insert(name.clone(), value.take())),
        }
    }
    Value::Object(guild)
}

fn guild_update(make: &mut Make<'_>) -> Value {
    let mut guild = make.guild();
    if !make.chance.one_in(5) {
        guild.insert("roles".to_owned(), make.list(&ROLES, Make::role));
    }
    if !make.chance.one_in(5) {
        guild.insert("emojis".to_owned(), make.list(&EMOJIS, Make::emoji));
    }
    if make.chance.one_in(5) {
        guild.insert("member_count".to_owned(), json!(make.chance.between(0, 9)));
    }
    if make.chance.one_in(5) {
        guild.insert("joined_at".to_owned(), json!("2024-02-03T04:05:06.000007+00:00"));
    }
    Value::Object(guild)
}

fn guild_delete(make: &mut Make<'_>) -> Value {
    let id = make.guild.to_string();
    match make.chance.below(4) {
        0 | 1 => outage(make),
        2 => json!({ "id": id, "unavailable": false }),
        _ => json!({ "id": id }),
    }
}

fn emojis(make: &mut Make<'_>) -> Value {
    json!({ "guild_id": make.guild.to_string(), "emojis": make.list(&EMOJIS, Make::emoji) })
}

fn channel(make: &mut Make<'_>) -> Value {
    let id = *make.chance.pick(&CHANNELS);
    make.channel(id)
}

fn thread(make: &mut Make<'_>) -> Value {
    let id = *make.chance.pick(&THREADS);
    make.thread(id)
}

fn thread_gone(make: &mut Make<'_>) -> Value {
    let id = make.chance.pick(&THREADS).to_string();
    json!({ "id": id, "guild_id": make.guild.to_string(), "parent_id": CHANNELS[0].to_string(), "type": 11 })
}

fn threads(make: &mut Make<'_>) -> Value {
    let mut list = json!({
        "guild_id": make.guild.to_string(),
        "threads": make.list(&THREADS, Make::thread),
        "members": [],
    });
    match make.chance.below(4) {
        0 => {}
        1 => list["channel_ids"] = Value::Null,
        _ => list["channel_ids"] = make.chance.some(&CHANNELS).iter().map(u64::to_string).collect(),
    }
    list
}

fn role(make: &mut Make<'_>) -> Value {
    let id = *make.chance.pick(&ROLES);
    json!({ "guild_id": make.guild.to_string(), "role": make.role(id) })
}

fn role_gone(make: &mut Make<'_>) -> Value {
    json!({ "guild_id": make.guild.to_string(), "role_id": make.chance.pick(&ROLES).to_string() })
}

fn member(make: &mut Make<'_>) -> Value {
    let mut member = make.member();
    member["guild_id"] = json!(make.guild.to_string());
    member
}

fn member_gone(make: &mut Make<'_>) -> Value {
    json!({ "guild_id": make.guild.to_string(), "user": make.chance.pick(make.people).json() })
}

fn chunk(make: &mut Make<'_>) -> Value {
    json!({
        "guild_id": make.guild.to_string(),
        "members": (0..make.chance.below(5)).map(|_| make.member()).collect::<Value>(),
        "chunk_index": 0,
        "chunk_count": 1,
    })
}

fn message(make: &mut Make<'_>) -> Value {
    let author = make.chance.pick(make.people).json();
    let mut message = json!({
        "id": "71",
        "channel_id": CHANNELS[0].to_string(),
        "guild_id": make.guild.to_string(),
        "content": make.text(),
        "author": author,
        "mentions": [{ "id": "1", "member": { "nick": "x" } }],
    });
    if !make.chance.one_in(6) {
        message["member"] = make.bare_member();
    }
    if make.chance.one_in(6) {
        message["webhook_id"] = json!("72");
    }
    message
}

fn interaction(make: &mut Make<'_>) -> Value {
    let mut member = make.member();
    member["permissions"] = json!("8");
    json!({ "id": "73", "type": 3, "token": "hush", "guild_id": make.guild.to_string(), "member": member })
}

fn typing(make: &mut Make<'_>) -> Value {
    json!({ "guild_id": make.guild.to_string(), "member": make.member() })
}
