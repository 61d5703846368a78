use serde_json::json;

use crate::{
    house::House,
    socket::{ALL, Socket},
};

#[tokio::test]
async fn members_are_listed_page_by_page_and_found_by_name() {
    let house = House::build().await;
    let path = format!("/guilds/{}/members", house.seed.guild);
    let page = house.bot().get(format!("{path}?limit=2")).await.ok();
    let last = page[1]["user"]["id"].as_str().unwrap();
    assert_eq!(house.bot().get(format!("{path}?limit=1000&after={last}")).await.ok().as_array().unwrap().len(), 3);
    assert_eq!(house.bot().get(format!("{path}/search?query=MI&limit=10")).await.ok()[0]["user"]["username"], "mia");
    house.sim.write(|state| state.applications.get_mut(&house.seed.application).unwrap().privileged_intents = 0);
    house.bot().get(format!("{path}?limit=2")).await.refused(403, 50001);
}

#[tokio::test]
async fn nicks_and_roles_change_and_the_guild_hears_of_it() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let guild = house.seed.guild;
    let admin = house.person(house.seed.admin);
    let path = format!("/guilds/{guild}/members/{}", house.seed.member);
    admin.patch(&path, json!({ "nick": "Mimi" })).await.ok();
    assert_eq!(socket.event("GUILD_MEMBER_UPDATE").await["nick"], "Mimi");
    house.bot().patch(&path, json!({ "nick": "x" })).await.refused(403, 50013);
    house.bot().patch(format!("/guilds/{guild}/members/@me"), json!({ "nick": "Desk" })).await.ok();
    assert_eq!(socket.event("GUILD_MEMBER_UPDATE").await["nick"], "Desk");
    let roles = house.bot().get(format!("/guilds/{guild}/roles")).await.ok();
    assert_eq!(roles.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn who_joins_hears_of_the_guild_and_who_leaves_of_its_end() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let eve = house.sim.write(|state| state.add_person("eve", "Eve", None));
    let mut her = Socket::greeted(&house).await;
    her.identify(&house.token(eve), json!({})).await;
    her.event("READY").await;
    house.sim.write(|state| state.add_member(house.seed.guild, eve));
    assert_eq!(her.event("GUILD_CREATE").await["name"], "Moonlight Games");
    assert_eq!(socket.event("GUILD_MEMBER_ADD").await["user"]["username"], "eve");
    let admin = house.person(house.seed.admin);
    admin.delete(format!("/guilds/{}/members/{eve}", house.seed.guild)).await.ok();
    assert_eq!(her.event("GUILD_DELETE").await, json!({ "id": house.seed.guild }));
    her.is_quiet().await;
    assert_eq!(socket.event("GUILD_MEMBER_REMOVE").await["user"]["username"], "eve");
}

#[tokio::test]
async fn a_bot_that_is_invited_hears_of_the_guild_first_and_its_role_goes_with_it() {
    let house = House::build().await;
    let (mut socket, _) = Socket::bot(&house, ALL).await;
    let guild = house.sim.write(|state| {
        let guild = state.add_guild("Second", house.seed.staff);
        state.install(guild, house.seed.application);
        guild
    });
    let joined = socket.event("GUILD_CREATE").await;
    assert_eq!((&joined["name"], joined["members"][0]["roles"].as_array().unwrap().len()), (&json!("Second"), 1));
    house.person(house.seed.staff).delete(format!("/guilds/{guild}/members/{}", house.me())).await.ok();
    socket.event("GUILD_DELETE").await;
    socket.is_quiet().await;
    assert_eq!(house.state(|state| state.guilds[&guild].roles.len()), 1);
}

#[tokio::test]
async fn roles_change_places_below_the_one_who_moves_them() {
    let house = House::build().await;
    let path = format!("/guilds/{}/roles", house.seed.guild);
    let (one, two) = (
        house.bot().post(&path, json!({ "name": "one" })).await.ok(),
        house.bot().post(&path, json!({ "name": "two" })).await.ok(),
    );
    let moved = house
        .bot()
        .patch(&path, json!([{ "id": one["id"], "position": 1 }, { "id": two["id"], "position": 2 }]))
        .await
        .ok();
    let position = |id| moved.as_array().unwrap().iter().find(|role| role["id"] == id).unwrap()["position"].clone();
    assert_eq!((position(one["id"].clone()), position(two["id"].clone())), (json!(1), json!(2)));
    let own = house.state(|state| state.guilds[&house.seed.guild].members[&house.me()].roles[0]);
    house.bot().patch(&path, json!([{ "id": own, "position": 1 }])).await.refused(403, 50013);
}
