//! The two forms of what the cache holds: Discord's JSON, and the compact one.

use std::fmt::Debug;

use cache::{
    change::Change,
    decode, encode,
    entity::{Channel, Emoji, Guild, Member, Role, User, Whole},
    fold::{Folded, fold},
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    chance::Chance,
    model::{Make, Person, World},
};

/// Each kind of entity with chance in all of its fields.
fn objects(seed: u64) -> [(&'static str, Value); 7] {
    let mut chance = Chance::new(seed);
    let people = [Person { id: 81, form: (seed % 7) as u32 }, Person { id: u64::MAX, form: 2 }];
    let mut make = Make { chance: &mut chance, guild: 5 << 22, people: &people };
    let mut member = make.bare_member();
    member["user"] = people[1].json();
    [
        ("guild", Value::Object(make.guild())),
        ("channel", make.channel(11)),
        ("thread", make.thread(21)),
        ("role", make.role(31)),
        ("emoji", make.emoji(41)),
        ("member", member),
        ("user", people[0].json()),
    ]
}

fn survives<T>(object: &Value) -> Result<(), TestCaseError>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    // As text, which is what comes from Discord.
    let entity: T = serde_json::from_str(&object.to_string()).unwrap();
    prop_assert_eq!(&decode::<T>(&encode(&entity).unwrap()).unwrap(), &entity);
    let json = serde_json::to_string(&entity).unwrap();
    prop_assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), &entity);
    prop_assert_eq!(&serde_json::from_str::<T>(&object.to_string()).unwrap(), &entity);
    Ok(())
}

/// Calls `$check::<T>` for the type of the entity of this name.
macro_rules! of_type {
    ($name:expr, $check:ident, $($argument:expr),*) => {
        match $name {
            "guild" => $check::<Guild>($($argument),*),
            "channel" | "thread" => $check::<Channel>($($argument),*),
            "role" => $check::<Role>($($argument),*),
            "emoji" => $check::<Emoji>($($argument),*),
            "member" => $check::<Member>($($argument),*),
            _ => $check::<User>($($argument),*),
        }
    };
}

proptest! {
    #[test]
    fn every_entity_survives_both_forms(seed: u64) {
        for (name, object) in objects(seed) {
            of_type!(name, survives, &object)?;
        }
    }

    #[test]
    fn what_discord_leaves_out_or_sends_as_null_is_its_default(seed: u64) {
        for (name, object) in objects(seed) {
            of_type!(name, reads_without, &object)?;
        }
    }

    #[test]
    fn what_an_older_version_wrote_without_the_last_fields_still_reads(seed: u64) {
        for (name, object) in objects(seed) {
            of_type!(name, evolves, &object)?;
        }
    }

    #[test]
    fn every_change_survives_the_compact_form(seed in 0_u64..1 << 40) {
        let mut chance = Chance::new(seed);
        let world = World::new(seed, &mut chance);
        for step in world.guilds.values().flatten().chain(world.guildless.values().flatten()) {
            let changes = match fold(&step.event).unwrap() {
                Folded::Guild(update) | Folded::Rider(update) => update.changes,
                _ => continue,
            };
            let bytes = encode(&changes).unwrap();
            prop_assert_eq!(&decode::<Vec<Change>>(&bytes).unwrap(), &changes);
            // Cut short anywhere, it is refused.
            for end in [0, 1, bytes.len() / 2, bytes.len() - 1] {
                prop_assert!(decode::<Vec<Change>>(&bytes[..end]).is_err());
            }
        }
    }

    #[test]
    fn garbage_is_refused(bytes: Vec<u8>) {
        let with_format: Vec<u8> = [1].into_iter().chain(bytes.iter().copied()).collect();
        for bytes in [&bytes, &with_format] {
            // Nothing says that it is not read by chance, but nothing panics, and no other format is read.
            let is_format = bytes.first() == Some(&1);
            let read = [
                decode::<Whole>(bytes).is_ok(),
                decode::<Vec<Change>>(bytes).is_ok(),
                decode::<Channel>(bytes).is_ok(),
                decode::<User>(bytes).is_ok(),
                decode::<Member>(bytes).is_ok(),
            ];
            prop_assert!(is_format || read == [false; 5]);
        }
    }

    #[test]
    fn a_changed_byte_is_refused_or_read_and_never_panics(seed: u64, at: prop::sample::Index, to: u8) {
        for (name, object) in objects(seed) {
            of_type!(name, bears, &object, at, to);
        }
    }
}

fn reads_without<T: DeserializeOwned + PartialEq + Debug>(object: &Value) -> Result<(), TestCaseError> {
    for field in object.as_object().unwrap().keys().filter(|field| !["id", "permissions"].contains(&field.as_str())) {
        let (mut without, mut with_null) = (object.clone(), object.clone());
        without.as_object_mut().unwrap().remove(field);
        with_null[field] = Value::Null;
        let read = |object: Value| serde_json::from_str::<T>(&object.to_string());
        prop_assert_eq!(read(without).unwrap(), read(with_null).unwrap(), "{}", field);
    }
    Ok(())
}

/// How many of the first fields every version wrote.
const ALWAYS: usize = 2;

fn evolves<T>(object: &Value) -> Result<(), TestCaseError>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let entity: T = serde_json::from_str(&object.to_string()).unwrap();
    let fields = |entity: &T| -> Vec<Value> { decode(&encode(entity).unwrap()).unwrap() };
    let all = fields(&entity);
    for kept in ALWAYS..=all.len() {
        let read: T = decode(&encode(&all[..kept]).unwrap()).unwrap();
        prop_assert_eq!(&fields(&read)[..kept], &all[..kept]);
    }
    Ok(())
}

fn bears<T: Serialize + DeserializeOwned>(object: &Value, at: prop::sample::Index, to: u8) {
    let entity: T = serde_json::from_str(&object.to_string()).unwrap();
    let mut bytes = encode(&entity).unwrap();
    let at = at.index(bytes.len());
    bytes[at] = to;
    drop(decode::<T>(&bytes));
}

#[test]
fn another_formats_number_is_refused_and_named() {
    let user: User = serde_json::from_value(json!({ "id": "7" })).unwrap();
    let mut bytes = encode(&user).unwrap();
    bytes[0] = 2;
    assert!(decode::<User>(&bytes).unwrap_err().to_string().contains("format 2 is unknown"));
    assert!(decode::<User>(&[]).is_err());
}

#[test]
fn a_booster_role_is_told_by_a_null_and_written_as_a_flag() {
    let role = |tags: Value| -> Role {
        serde_json::from_value(json!({ "id": "7", "permissions": "0", "tags": tags })).unwrap()
    };
    let boosts = |role: &Role| role.tags.as_ref().unwrap().premium_subscriber;
    let (booster, plain) = (role(json!({ "premium_subscriber": null })), role(json!({ "bot_id": "8" })));
    assert!(boosts(&booster) && !boosts(&plain));
    for role in [booster, plain] {
        let again: Role = serde_json::from_str(&serde_json::to_string(&role).unwrap()).unwrap();
        assert_eq!(again, role);
    }
}

#[test]
fn what_nobody_knows_is_passed_over_and_ids_stay_exact() {
    let user: User = serde_json::from_str(
        r#"{"id":"18446744073709551615","username":"ü","new":[{"id":1.5}],"avatar":"odd","public_flags":9007199254740993}"#,
    )
    .unwrap();
    assert_eq!(user.id.get(), u64::MAX);
    assert_eq!(user.public_flags, (1 << 53) + 1);
    assert_eq!(user.avatar, None);
    let role: Role = serde_json::from_str(r#"{"id":7,"permissions":"18446744073709551615"}"#).unwrap();
    assert_eq!(role.permissions.bits(), u64::MAX);
    assert_eq!(decode::<Role>(&encode(&role).unwrap()).unwrap(), role);
}

#[test]
fn a_guild_as_discord_sends_it_is_read_whole() {
    let id = 1_000_000_000_000_000_007;
    let text = discord_sim::load::reference_guild(id);
    let d: Value = serde_json::from_str(&text).unwrap();
    let event = crate::model::event(id, "GUILD_CREATE", &text);
    let Folded::Guild(update) = fold(&event).unwrap() else { panic!("a guild") };
    let [Change::Whole(whole)] = &update.changes[..] else { panic!("a whole guild") };
    assert_eq!(update.guild.get(), id);
    let count = |list: &str| d[list].as_array().unwrap().len();
    assert_eq!(
        [whole.channels.len(), whole.roles.len(), whole.members.len(), whole.emojis.len(), whole.threads.len()],
        [count("channels"), count("roles"), count("members"), count("emojis"), count("threads")],
    );
    // What is kept is as Discord said it.
    let json = serde_json::to_value(whole).unwrap();
    for (kept, list) in [("channels", "channels"), ("roles", "roles"), ("emojis", "emojis")] {
        for is in json[kept].as_array().unwrap() {
            let of = d[list].as_array().unwrap().iter().find(|of| of["id"] == is["id"]).unwrap();
            agrees(is, of);
        }
    }
    agrees(&json["guild"], &d);
    assert_eq!(&decode::<Whole>(&encode(&**whole).unwrap()).unwrap(), &**whole);
}

/// Every field that Discord sent, and that is kept, is the same; empty texts and lists stand for what was not sent.
#[track_caller]
fn agrees(is: &Value, sent: &Value) {
    for (name, is) in is.as_object().unwrap() {
        match sent.get(name) {
            Some(Value::Null) | None => {
                assert!([json!(null), json!([]), json!(0), json!(false), json!("")].contains(is), "{name} is {is}");
            }
            Some(sent) if sent.is_object() => agrees(is, sent),
            Some(Value::Array(all)) if all.first().is_some_and(Value::is_object) => {
                is.as_array().unwrap().iter().zip(all).for_each(|(is, sent)| agrees(is, sent));
            }
            Some(sent) => assert_eq!(is, sent, "{name}"),
        }
    }
}
