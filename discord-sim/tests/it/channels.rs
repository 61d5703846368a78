use discord_sim::state::{Overwrite, OverwriteKind, kind};
use serde_json::json;
use twilight_model::{
    guild::Permissions,
    id::{Id, marker::ChannelMarker},
};

use crate::{
    house::{House, id},
    socket::{ALL, Socket},
};

#[tokio::test]
async fn a_channel_lives_and_its_guild_hears_of_it() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let hidden = json!({ "id": house.seed.guild, "type": 0, "deny": Permissions::VIEW_CHANNEL.bits().to_string() });
    let own = json!({ "id": house.me(), "type": 1, "allow": Permissions::VIEW_CHANNEL.bits().to_string() });
    let body = json!({ "name": "Ticket #1", "type": 0, "topic": "help", "permission_overwrites": [hidden, own] });
    let made = house.bot().post(format!("/guilds/{}/channels", house.seed.guild), body).await;
    assert_eq!(made.status, 201);
    let made = made.ok();
    assert_eq!(made["name"], "ticket-1");
    let heard = socket.event("CHANNEL_CREATE").await;
    assert_eq!((&heard["id"], &heard["guild_id"]), (&made["id"], &json!(house.seed.guild)));
    assert_eq!(heard["permission_overwrites"], made["permission_overwrites"]);

    let path = format!("/channels/{}", id::<ChannelMarker>(&made["id"]));
    house.bot().patch(&path, json!({ "topic": null, "nsfw": true, "rate_limit_per_user": 5 })).await.ok();
    let heard = socket.event("CHANNEL_UPDATE").await;
    assert_eq!(
        (&heard["topic"], &heard["nsfw"], &heard["rate_limit_per_user"]),
        (&json!(null), &json!(true), &json!(5))
    );
    house.bot().delete(&path).await.ok();
    assert_eq!(socket.event("CHANNEL_DELETE").await["id"], made["id"]);
    house.bot().get(&path).await.refused(404, 10003);
}

#[tokio::test]
async fn a_channel_without_overwrites_takes_those_of_its_category() {
    let house = House::build().await;
    let category = house.sim.write(|state| {
        let category = state.add_channel(house.seed.guild, kind::CATEGORY, "private", None);
        let (allow, deny) = (Permissions::empty(), Permissions::SEND_MESSAGES);
        let everyone = Overwrite { id: house.seed.guild.cast(), kind: OverwriteKind::Role, allow, deny };
        state.channels.get_mut(&category).unwrap().overwrites.push(everyone);
        category
    });
    let create = async |overwrites: serde_json::Value| {
        let mut body = json!({ "name": "x", "parent_id": category });
        if !overwrites.is_null() {
            body["permission_overwrites"] = overwrites;
        }
        house.bot().post(format!("/guilds/{}/channels", house.seed.guild), body).await.ok()["permission_overwrites"]
            .clone()
    };
    assert_eq!(create(json!(null)).await.as_array().unwrap().len(), 1);
    assert_eq!(create(json!([])).await, json!([]));
}

#[tokio::test]
async fn the_end_of_a_category_leaves_its_channels() {
    let house = House::build().await;
    let (category, child) = house.sim.write(|state| {
        let category = state.add_channel(house.seed.guild, kind::CATEGORY, "c", None);
        (category, state.add_channel(house.seed.guild, kind::TEXT, "child", Some(category)))
    });
    house.bot().delete(format!("/channels/{category}")).await.ok();
    assert_eq!(house.bot().get(format!("/channels/{child}")).await.ok()["parent_id"], json!(null));
}

#[tokio::test]
async fn channels_change_places_and_categories() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let moves = json!([{ "id": house.seed.support, "position": 0, "parent_id": null }, { "id": house.seed.general, "position": 9 }]);
    house.bot().patch(format!("/guilds/{}/channels", house.seed.guild), moves).await.ok();
    let heard = socket.event("CHANNEL_UPDATE").await;
    assert_eq!(
        (&heard["id"], &heard["position"], &heard["parent_id"]),
        (&json!(house.seed.support), &json!(0), &json!(null))
    );
    assert_eq!(socket.event("CHANNEL_UPDATE").await["position"], 9);
}

#[tokio::test]
async fn a_role_that_goes_takes_its_overwrites_along() {
    let house = House::build().await;
    let role = house.bot().post(format!("/guilds/{}/roles", house.seed.guild), json!({ "name": "x" })).await.ok();
    let role = id::<()>(&role["id"]);
    let path = format!("/channels/{}", house.seed.general);
    house
        .bot()
        .put(format!("{path}/permissions/{role}"), Some(json!({ "type": 0, "allow": "0", "deny": "0" })))
        .await
        .ok();
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    house.bot().delete(format!("/guilds/{}/roles/{role}", house.seed.guild)).await.ok();
    let gone = json!({ "guild_id": house.seed.guild, "role_id": role });
    assert_eq!(socket.event("GUILD_ROLE_DELETE").await, gone);
    assert_eq!(socket.event("CHANNEL_UPDATE").await["permission_overwrites"], json!([]));
}

#[tokio::test]
async fn people_see_the_guilds_they_are_in() {
    let house = House::build().await;
    let stranger: Id<twilight_model::id::marker::UserMarker> =
        house.sim.write(|state| state.add_person("eve", "Eve", None));
    house.person(stranger).get(format!("/guilds/{}", house.seed.guild)).await.refused(403, 50001);
    assert_eq!(house.person(stranger).get("/users/@me/guilds").await.ok(), json!([]));
    let mine = house.bot().get("/users/@me/guilds").await.ok();
    assert_eq!((&mine[0]["name"], &mine[0]["owner"]), (&json!("Moonlight Games"), &json!(false)));
    let counted = house.bot().get(format!("/guilds/{}?with_counts=True", house.seed.guild)).await.ok();
    assert_eq!(counted["approximate_member_count"], 5);
}
