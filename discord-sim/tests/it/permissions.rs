use discord_sim::state::{Overwrite, OverwriteKind, kind};
use serde_json::json;
use twilight_model::{guild::Permissions, id::Id};

use crate::house::{House, id};

fn overwrite<T>(id: Id<T>, kind: OverwriteKind, allow: Permissions, deny: Permissions) -> Overwrite {
    Overwrite { id: id.cast(), kind, allow, deny }
}

#[tokio::test]
async fn a_call_needs_a_token_behind_its_scheme() {
    let house = House::build().await;
    for token in
        [String::new(), "Bot nonsense".into(), house.bot_token(), format!("Bot {}", house.token(house.seed.admin))]
    {
        let answer = house.rest(token).get("/users/@me").await;
        assert_eq!((answer.status, answer.json), (401, json!({ "code": 0, "message": "401: Unauthorized" })));
    }
    assert_eq!(house.bot().get("/users/@me").await.ok()["username"], "Tickets");
    assert_eq!(house.person(house.seed.member).get("/users/@me").await.ok()["username"], "mia");
}

#[tokio::test]
async fn a_bot_names_itself_in_its_user_agent() {
    let house = House::build().await;
    house.provokes();
    house.bot().with_agent("curl/8").get("/users/@me").await.refused(403, 40333);
    house.person(house.seed.member).with_agent("Mozilla/5.0").get("/users/@me").await.ok();
    assert_eq!(house.state(|state| state.ledger.violations.len()), 1);
}

#[tokio::test]
async fn what_does_not_exist_is_unknown_and_what_is_hidden_is_missing_access() {
    let house = House::build().await;
    let hidden = house.channel("hidden");
    house.sim.write(|state| {
        let everyone =
            overwrite(house.seed.guild, OverwriteKind::Role, Permissions::empty(), Permissions::VIEW_CHANNEL);
        state.channels.get_mut(&hidden).unwrap().overwrites.push(everyone);
    });
    let bot = house.bot();
    bot.get("/channels/1").await.refused(404, 10003);
    bot.get("/guilds/1").await.refused(404, 10004);
    bot.get("/users/1").await.refused(404, 10013);
    bot.get(format!("/guilds/{}/members/1", house.seed.guild)).await.refused(404, 10007);
    bot.get(format!("/channels/{}/messages/1", house.seed.general)).await.refused(404, 10008);
    bot.get(format!("/channels/{hidden}")).await.refused(403, 50001);
    bot.post(format!("/channels/{hidden}/messages"), json!({ "content": "x" })).await.refused(403, 50001);
    house.person(house.seed.admin).get(format!("/channels/{hidden}")).await.ok();
}

#[tokio::test]
async fn ids_and_routes_that_are_none_are_refused_as_discord_does() {
    let house = House::build().await;
    house.provokes();
    house.bot().get("/channels/abc").await.form_error("id", "NUMBER_TYPE_COERCE");
    let unknown = house.bot().get("/nothing/here").await;
    assert_eq!((unknown.status, &unknown.json["message"]), (404, &json!("404: Not Found")));
    let method = house.bot().delete("/users/@me").await;
    assert_eq!((method.status, &method.json["message"]), (405, &json!("405: Method Not Allowed")));
}

#[tokio::test]
async fn overwrites_of_a_channel_go_everyone_then_roles_then_member() {
    let house = House::build().await;
    let (member, staff) = (house.seed.member, house.seed.staff);
    let room = house.channel("room");
    let (view, send) = (Permissions::VIEW_CHANNEL, Permissions::SEND_MESSAGES);
    house.sim.write(|state| {
        let (none, quiet, loud) = (
            Permissions::empty(),
            state.add_role(house.seed.guild, "quiet", Permissions::empty(), false, None),
            state.add_role(house.seed.guild, "loud", Permissions::empty(), false, None),
        );
        state.give_role(house.seed.guild, member, quiet);
        state.give_role(house.seed.guild, staff, quiet);
        state.give_role(house.seed.guild, staff, loud);
        state.channels.get_mut(&room).unwrap().overwrites = vec![
            overwrite(house.seed.guild, OverwriteKind::Role, none, view),
            overwrite(quiet, OverwriteKind::Role, view, send),
            overwrite(loud, OverwriteKind::Role, send, none),
        ];
    });
    let say =
        async |user| house.person(user).post(format!("/channels/{room}/messages"), json!({ "content": "x" })).await;
    // Of two roles that differ the one that allows wins.
    say(staff).await.ok();
    say(member).await.refused(403, 50013);
    say(house.seed.other_member).await.refused(403, 50001);
    house.sim.write(|state| {
        let own = overwrite(member, OverwriteKind::Member, send, Permissions::empty());
        state.channels.get_mut(&room).unwrap().overwrites.push(own);
    });
    say(member).await.ok();
    say(house.seed.admin).await.ok();
}

#[tokio::test]
async fn each_act_needs_its_permission() {
    let house = House::build().await;
    let (guild, general) = (house.seed.guild, house.seed.general);
    let said = house.sim.write(|state| state.say(general, house.seed.staff, "mine").unwrap());
    let member = house.person(house.seed.member);
    member.post(format!("/guilds/{guild}/channels"), json!({ "name": "x" })).await.refused(403, 50013);
    member.patch(format!("/channels/{general}"), json!({ "name": "x" })).await.refused(403, 50013);
    member.delete(format!("/channels/{general}")).await.refused(403, 50013);
    member.post(format!("/guilds/{guild}/roles"), json!({ "name": "x" })).await.refused(403, 50013);
    member.delete(format!("/channels/{general}/messages/{said}")).await.refused(403, 50013);
    member.patch(format!("/channels/{general}/messages/{said}"), json!({ "content": "x" })).await.refused(403, 50005);
    member.put(format!("/channels/{general}/pins/{said}"), None).await.refused(403, 50013);
    member.post(format!("/channels/{general}/webhooks"), json!({ "name": "x" })).await.refused(403, 50013);
    house.revoke(Permissions::ATTACH_FILES | Permissions::EMBED_LINKS);
    let embeds = json!({ "embeds": [{ "title": "x" }] });
    house.bot().post(format!("/channels/{general}/messages"), embeds).await.refused(403, 50013);
}

#[tokio::test]
async fn nobody_grants_what_they_do_not_have() {
    let house = House::build().await;
    let (guild, general, bot) = (house.seed.guild, house.seed.general, house.bot());
    let ban = Permissions::BAN_MEMBERS.bits().to_string();
    bot.post(format!("/guilds/{guild}/roles"), json!({ "name": "x", "permissions": ban })).await.refused(403, 50013);
    let path = format!("/channels/{general}/permissions/{}", house.seed.member);
    bot.put(&path, Some(json!({ "type": 1, "allow": ban }))).await.refused(403, 50013);
    let overwrites = |allow: Permissions| {
        let overwrite = json!({ "id": house.seed.member, "type": 1, "allow": allow.bits().to_string() });
        json!({ "name": "x", "permission_overwrites": [overwrite] })
    };
    let channels = format!("/guilds/{guild}/channels");
    bot.post(&channels, overwrites(Permissions::BAN_MEMBERS)).await.refused(403, 50013);
    // The bot may manage roles, but only an administrator passes that on with a new channel.
    bot.post(&channels, overwrites(Permissions::MANAGE_ROLES)).await.refused(403, 50013);
    bot.post(&channels, overwrites(Permissions::MANAGE_MESSAGES)).await.ok();
    house.person(house.seed.admin).post(&channels, overwrites(Permissions::MANAGE_ROLES)).await.ok();
}

#[tokio::test]
async fn an_overwrite_is_set_and_taken_away() {
    let house = House::build().await;
    let (general, member) = (house.seed.general, house.seed.member);
    let path = format!("/channels/{general}/permissions/{member}");
    let deny = Permissions::SEND_MESSAGES.bits();
    // Bits are texts, and numbers too.
    for deny in [json!(deny.to_string()), json!(deny)] {
        house.bot().put(&path, Some(json!({ "type": 1, "deny": deny }))).await.ok();
        let say = house.person(member).post(format!("/channels/{general}/messages"), json!({ "content": "x" })).await;
        say.refused(403, 50013);
    }
    let shown = house.bot().get(format!("/channels/{general}")).await.ok();
    let overwrite = json!({ "id": member, "type": 1, "allow": "0", "deny": deny.to_string() });
    assert_eq!(shown["permission_overwrites"], json!([overwrite]));
    house.bot().delete(&path).await.ok();
    house.bot().delete(&path).await.refused(404, 10009);
    house.bot().put(format!("/channels/{general}/permissions/1"), Some(json!({ "type": 0 }))).await.refused(404, 10009);
}

#[tokio::test]
async fn roles_are_managed_from_above() {
    let house = House::build().await;
    let (guild, bot) = (house.seed.guild, house.bot());
    let above = house.sim.write(|state| state.add_role(guild, "above", Permissions::empty(), false, None));
    let below = id(&bot.post(format!("/guilds/{guild}/roles"), json!({ "name": "below" })).await.ok()["id"]);
    let give =
        async |role: Id<_>| bot.put(format!("/guilds/{guild}/members/{}/roles/{role}", house.seed.member), None).await;
    give(above).await.refused(403, 50013);
    give(below).await.ok();
    give(Id::new(1)).await.refused(404, 10011);
    bot.patch(format!("/guilds/{guild}/roles/{above}"), json!({ "name": "mine" })).await.refused(403, 50013);
    bot.patch(format!("/guilds/{guild}/roles/{below}"), json!({ "name": "mine" })).await.ok();
    bot.delete(format!("/guilds/{guild}/roles/{below}")).await.ok();
    assert!(house.state(|state| state.guilds[&guild].members[&house.seed.member].roles.is_empty()));
}

#[tokio::test]
async fn writing_in_a_thread_is_a_permission_of_its_own() {
    let house = House::build().await;
    let (general, member) = (house.seed.general, house.seed.member);
    let thread =
        house.bot().post(format!("/channels/{general}/threads"), json!({ "name": "t", "type": 11 })).await.ok();
    let say = async |channel: &str| {
        house.person(member).post(format!("/channels/{channel}/messages"), json!({ "content": "x" })).await
    };
    let thread = thread["id"].as_str().unwrap().to_owned();
    house.revoke(Permissions::SEND_MESSAGES);
    say(&general.to_string()).await.refused(403, 50013);
    say(&thread).await.ok();
    house.revoke(Permissions::SEND_MESSAGES_IN_THREADS);
    say(&thread).await.refused(403, 50013);
}

#[tokio::test]
async fn some_channels_take_no_messages() {
    let house = House::build().await;
    let category = house.sim.write(|state| state.add_channel(house.seed.guild, kind::CATEGORY, "c", None));
    house.bot().post(format!("/channels/{category}/messages"), json!({ "content": "x" })).await.refused(400, 50008);
}
