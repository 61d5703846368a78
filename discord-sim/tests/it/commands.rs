use serde_json::{Value, json};

use crate::house::House;

#[tokio::test]
async fn commands_keep_their_ids_when_all_are_written_anew() {
    let house = House::build().await;
    let path = format!("/applications/{}/commands", house.seed.application);
    let command = |name: &str| json!({ "name": name, "description": "x" });
    let first = house.bot().put(&path, Some(json!([command("one"), command("two")]))).await.ok();
    let second = house.bot().put(&path, Some(json!([command("two"), command("three")]))).await.ok();
    let id = |list: &Value, name: &str| {
        list.as_array().unwrap().iter().find(|one| one["name"] == name).map(|one| one["id"].clone())
    };
    assert_eq!(id(&first, "two"), id(&second, "two"));
    assert_eq!(id(&second, "one"), None);
    assert_eq!(house.bot().get(&path).await.ok().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_command_is_made_replaced_changed_and_removed() {
    let house = House::build().await;
    let path = format!("/applications/{}/guilds/{}/commands", house.seed.application, house.seed.guild);
    let made = house.bot().post(&path, json!({ "name": "ask", "description": "x" })).await;
    assert_eq!(made.status, 201);
    let made = made.ok();
    let replaced = house.bot().post(&path, json!({ "name": "ask", "description": "y" })).await;
    assert_eq!(replaced.status, 200);
    assert_eq!(replaced.ok()["id"], made["id"]);
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    let changed = house.bot().patch(&one, json!({ "name": "query" })).await.ok();
    assert_eq!((&changed["name"], &changed["description"]), (&json!("query"), &json!("y")));
    house.bot().delete(&one).await.ok();
    house.bot().get(&one).await.refused(404, 10063);
}

#[tokio::test]
async fn an_error_of_one_command_stands_at_its_field_and_of_several_at_its_number() {
    let house = House::build().await;
    house.provokes();
    let path = format!("/applications/{}/commands", house.seed.application);
    let (good, bad) =
        (json!({ "name": "good", "description": "x" }), json!({ "name": "Not Good", "description": "x" }));
    assert!(house.bot().post(&path, bad.clone()).await.refused(400, 50035)["errors"]["name"].is_object());
    let several = house.bot().put(&path, Some(json!([good, bad]))).await.refused(400, 50035);
    assert!(several["errors"]["1"]["name"].is_object());
}

#[tokio::test]
async fn nobody_registers_for_another_application() {
    let house = House::build().await;
    let other = house.sim.write(|state| state.add_application("Other"));
    let path = format!("/applications/{other}/commands");
    house.bot().get(&path).await.refused(403, 50001);
    house.person(house.seed.member).get(&path).await.refused(400, 20002);
}

#[tokio::test]
async fn clients_are_offered_the_commands_of_the_bots_in_their_guild() {
    let house = House::build().await;
    let other = house.sim.write(|state| state.add_application("Elsewhere"));
    let scope = format!("/applications/{}", house.seed.application);
    house.bot().put(format!("{scope}/commands"), Some(json!([{ "name": "global", "description": "x" }]))).await.ok();
    house
        .bot()
        .put(
            format!("{scope}/guilds/{}/commands", house.seed.guild),
            Some(json!([{ "name": "local", "description": "x" }])),
        )
        .await
        .ok();
    let index = house
        .person(house.seed.member)
        .get(format!("/guilds/{}/application-command-index", house.seed.guild))
        .await
        .ok();
    let names: Vec<_> =
        index["application_commands"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["global", "local"]);
    assert_eq!(index["applications"].as_array().unwrap().len(), 1);
    assert_ne!(index["applications"][0]["id"], json!(other));
}
