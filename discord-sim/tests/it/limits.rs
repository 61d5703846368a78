use discord_sim::state::kind;
use reqwest::multipart::{Form, Part};
use serde_json::json;
use twilight_model::guild::Permissions;

use crate::house::{Answer, House, id};

#[tokio::test]
async fn a_guild_has_at_most_500_channels() {
    let house = House::build().await;
    let path = format!("/guilds/{}/channels", house.seed.guild);
    let there = house.state(|state| state.guild_channels(house.seed.guild).len());
    house.sim.write(|state| {
        for number in there..499 {
            state.add_channel(house.seed.guild, kind::TEXT, &format!("c{number}"), None);
        }
    });
    house.bot().post(&path, json!({ "name": "the last" })).await.ok();
    house.bot().post(&path, json!({ "name": "one more" })).await.refused(400, 30013);
}

#[tokio::test]
async fn a_category_has_at_most_50_channels() {
    let house = House::build().await;
    let guild = house.seed.guild;
    let category = house.sim.write(|state| {
        let category = state.add_channel(guild, kind::CATEGORY, "full", None);
        for number in 0..49 {
            state.add_channel(guild, kind::TEXT, &format!("c{number}"), Some(category));
        }
        category
    });
    let path = format!("/guilds/{guild}/channels");
    let last = house.bot().post(&path, json!({ "name": "last", "parent_id": category })).await.ok();
    house
        .bot()
        .post(&path, json!({ "name": "more", "parent_id": category }))
        .await
        .form_error("parent_id", "CHANNEL_PARENT_MAX_CHANNELS");
    let general = format!("/channels/{}", house.seed.general);
    house
        .bot()
        .patch(&general, json!({ "parent_id": category }))
        .await
        .form_error("parent_id", "CHANNEL_PARENT_MAX_CHANNELS");
    // One that is in it already counts once.
    house.bot().patch(format!("/channels/{}", id::<()>(&last["id"])), json!({ "parent_id": category })).await.ok();
    house
        .bot()
        .post(&path, json!({ "name": "x", "parent_id": house.seed.general }))
        .await
        .form_error("parent_id", "CHANNEL_PARENT_INVALID");
}

#[tokio::test]
async fn a_guild_has_at_most_250_roles() {
    let house = House::build().await;
    let path = format!("/guilds/{}/roles", house.seed.guild);
    house.sim.write(|state| {
        while state.guilds[&house.seed.guild].roles.len() < 249 {
            state.add_role(house.seed.guild, "r", Permissions::empty(), false, None);
        }
    });
    house.bot().post(&path, json!({ "name": "the last" })).await.ok();
    house.bot().post(&path, json!({ "name": "one more" })).await.refused(400, 30005);
}

#[tokio::test]
async fn a_channel_has_at_most_15_webhooks() {
    let house = House::build().await;
    let path = format!("/channels/{}/webhooks", house.seed.general);
    for _ in 0..15 {
        house.bot().post(&path, json!({ "name": "w" })).await.ok();
    }
    house.bot().post(&path, json!({ "name": "w" })).await.refused(400, 30007);
}

#[tokio::test]
async fn a_channel_has_at_most_250_pins() {
    let house = House::build().await;
    let general = house.seed.general;
    let last = house.sim.write(|state| {
        for _ in 0..250 {
            let said = state.say(general, house.seed.member, "x").unwrap();
            state.update_message(general, said, |message| message.pinned = true);
        }
        state.say(general, house.seed.member, "x").unwrap()
    });
    house.bot().put(format!("/channels/{general}/messages/pins/{last}"), None).await.refused(400, 30003);
}

#[tokio::test]
async fn bodies_out_of_bounds_are_refused() {
    let house = House::build().await;
    house.provokes();
    let general = house.seed.general;
    let send = async |body| house.bot().post(format!("/channels/{general}/messages"), body).await;
    send(json!({})).await.refused(400, 50006);
    send(json!({ "content": "x".repeat(2001) })).await.form_error("content", "BASE_TYPE_MAX_LENGTH");
    house.bot().get(format!("/channels/{general}/messages?limit=101")).await.form_error("limit", "NUMBER_TYPE_MAX");
    let delete = async |ids: Vec<String>| {
        house.bot().post(format!("/channels/{general}/messages/bulk-delete"), json!({ "messages": ids })).await
    };
    delete(vec!["1".into()]).await.refused(400, 50016);
    // Ids carry their time; these are of 2015.
    delete(vec!["4194304".into(), "8388608".into()]).await.refused(400, 50034);
    let path = format!("/channels/{general}/messages");
    let broken = house.bot().request(reqwest::Method::POST, &path).header("content-type", "application/json").body("{");
    Answer::of(broken.send().await.unwrap()).await.refused(400, 50109);
}

#[tokio::test]
async fn an_application_has_at_most_100_slash_commands_of_a_scope() {
    let house = House::build().await;
    let path = format!("/applications/{}/commands", house.seed.application);
    let command = |number: usize| json!({ "name": format!("c{number}"), "description": "x" });
    let hundred: Vec<_> = (0..100).map(command).collect();
    house.bot().put(&path, Some(json!(hundred))).await.ok();
    house.bot().post(&path, command(100)).await.refused(400, 30032);
    house.bot().post(&path, command(99)).await.ok();
    house
        .bot()
        .post(format!("/applications/{}/guilds/{}/commands", house.seed.application, house.seed.guild), command(100))
        .await
        .ok();
}

#[tokio::test]
async fn a_file_has_at_most_10_mebibytes_and_a_message_10_files() {
    let house = House::build().await;
    let path = format!("/channels/{}/messages", house.seed.general);
    let upload = async |files: usize, size: usize| {
        let mut form = Form::new();
        for number in 0..files {
            form = form.part(format!("files[{number}]"), Part::bytes(vec![0; size]).file_name("x.bin"));
        }
        Answer::of(house.bot().request(reqwest::Method::POST, &path).multipart(form).send().await.unwrap()).await
    };
    upload(10, 1).await.ok();
    upload(11, 1).await.form_error("attachments", "BASE_TYPE_MAX_LENGTH");
    upload(1, 10 << 20).await.ok();
    upload(1, (10 << 20) + 1).await.refused(413, 40005);
}
