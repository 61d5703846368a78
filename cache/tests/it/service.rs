//! Cache processes: how they come right, and what they answer.

use cache::{
    change::Change,
    entity::{Channel, Member},
    http::{COMPACT, EPOCH, READ_MS},
};
use model::routes::BOT_ID;
use reqwest::StatusCode;
use testing::Door;
use twilight_model::id::Id;

use crate::house::{BOT, GUILD, House, renamed, until, whole};

const OTHER_BOT: Id<twilight_model::id::marker::ApplicationMarker> = Id::new(901);

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_agree_also_one_that_starts_late_and_one_that_was_cut_off() {
    let house = House::new().await;
    house.happens(BOT, 1, vec![whole("before")]).await;
    let door = Door::shut_before_kafka(house.kafka.brokers.clone()).await;
    door.open();
    let early = house.process().await;
    let cut_off = house.process_with(|config| config.kafka.brokers = door.addr().to_string()).await;
    for process in [&early, &cut_off] {
        process.ready().await;
        process.names("before").await;
    }
    house.happens(BOT, 2, vec![renamed("then")]).await;
    for process in [&early, &cut_off] {
        process.names("then").await;
    }

    door.shut();
    // It may be wrong from now on, and says so rather than answering.
    let path = format!("guilds/{GUILD}");
    until("a 503", async || cut_off.get(&path).await.status() == StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(!cut_off.service.not_ready().is_empty());
    house.happens(BOT, 3, vec![renamed("after")]).await;
    let late = house.process().await;
    late.ready().await;
    assert_eq!(late.known(&path).await.unwrap()["name"], "after", "it is right before it says ready");
    early.names("after").await;
    door.open();
    until("an answer", async || cut_off.get(&path).await.status() == StatusCode::OK).await;
    assert_eq!(cut_off.known(&path).await.unwrap()["name"], "after", "its first answer is right");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_and_not_told_is_known_when_it_comes_again() {
    let house = House::new().await;
    house.happens(BOT, 1, vec![whole("first")]).await;
    let process = house.process().await;
    process.ready().await;
    // As by a crash between the truth and the topic: twice written, the second time in vain, and told then.
    house.happens_untold(BOT, 2, vec![renamed("second")]).await;
    assert_eq!(process.known(&format!("guilds/{GUILD}")).await.unwrap()["name"], "first");
    house.happens(BOT, 2, vec![renamed("second")]).await;
    process.names("second").await;
    // A version that was never told is noticed by the next one.
    house.happens_untold(BOT, 3, vec![Change::ChannelGone(Id::new(201))]).await;
    house.happens(BOT, 4, vec![renamed("fourth")]).await;
    process.names("fourth").await;
    assert_eq!(process.known(&format!("guilds/{GUILD}/channels")).await, Some(serde_json::json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_guild_cannot_be_read_anew_nothing_is_answered() {
    let house = House::new().await;
    house.happens(BOT, 1, vec![whole("first")]).await;
    let (door, uri) = Door::shut_before_postgres(&house.database_uri()).await;
    door.open();
    let process = house.process_with(|config| config.database.uri = uri.into()).await;
    process.ready().await;
    process.names("first").await;
    door.shut();
    house.happens(BOT, 2, vec![renamed("second")]).await;
    process.names("second").await;
    // A version that was never told: what is known is old, and the truth cannot be asked.
    house.happens_untold(BOT, 3, vec![renamed("third")]).await;
    house.happens(BOT, 4, vec![Change::ChannelGone(Id::new(201))]).await;
    let path = format!("guilds/{GUILD}");
    let missing = async || process.service.not_ready().iter().any(|why| why.contains("postgres"));
    until("it to miss postgres", missing).await;
    assert_eq!(process.get(&path).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    door.open();
    until("an answer", async || process.get(&path).await.status() == StatusCode::OK).await;
    assert_eq!(process.known(&path).await.unwrap()["name"], "third", "its first answer is right");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guild_is_known_to_its_bot_alone() {
    let house = House::new().await;
    house.happens(BOT, 1, vec![whole("ours")]).await;
    let mut theirs = whole("theirs");
    if let Change::Whole(whole) = &mut theirs {
        whole.channels.clear();
    }
    house.happens(OTHER_BOT, 1, vec![theirs]).await;
    let process = house.process().await;
    process.ready().await;
    let path = format!("guilds/{GUILD}");
    // Nobody says which of the two is meant.
    assert_eq!(process.get(&path).await.status(), StatusCode::BAD_REQUEST);
    for (bot, name, channels) in [(BOT, "ours", 1), (OTHER_BOT, "theirs", 0)] {
        let ask = async |path: &str| {
            let answer = process.request(path).header(BOT_ID, bot.get()).send().await.unwrap();
            answer.error_for_status().unwrap().json::<serde_json::Value>().await.unwrap()
        };
        assert_eq!(ask(&path).await["name"], name);
        assert_eq!(ask(&format!("{path}/channels")).await.as_array().unwrap().len(), channels);
        assert_eq!(ask("guilds/count").await["count"], 1);
    }
    house.happens(OTHER_BOT, 2, vec![Change::Left]).await;
    let count = async |bot: u64| {
        let answer = process.request("guilds/count").header(BOT_ID, bot).send().await.unwrap();
        answer.json::<serde_json::Value>().await.unwrap()["count"].clone()
    };
    until("the other bot to have left", async || count(OTHER_BOT.get()).await == 0).await;
    assert_eq!(count(BOT.get()).await, 1);
    // Of a bot that nothing was told of nobody knows that it is in no guild.
    let unknown = process.request("guilds/count").header(BOT_ID, 77).send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_key_is_told_nothing() {
    let house = House::new().await;
    house.happens(BOT, 1, vec![whole("secret")]).await;
    let process = house.process_with(|config| config.shared_key = Some("the long key".into())).await;
    process.ready().await;
    for path in ["guilds/count", "guilds/100", "guilds/100/members/401", "users/401"] {
        assert_eq!(process.get(path).await.status(), StatusCode::UNAUTHORIZED, "{path}");
        let wrong = process.request(path).bearer_auth("a wrong key").send().await.unwrap();
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED, "{path}");
        let right = process.request(path).bearer_auth("the long key").send().await.unwrap();
        assert_eq!(right.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_told_nothing_counts_nothing() {
    let house = House::new().await;
    let process = house.process().await;
    process.ready().await;
    assert_eq!(process.get("guilds/count").await.status(), StatusCode::NOT_FOUND, "0 would be a lie");
    house.happens(BOT, 1, vec![whole("the first")]).await;
    process.names("the first").await;
    assert_eq!(process.known("guilds/count").await.unwrap()["count"], 1);
    house.happens(BOT, 2, vec![Change::Left]).await;
    until("the leave", async || process.known("guilds/count").await.unwrap()["count"] == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_answers_what_it_says() {
    let house = House::new().await;
    house.happens(BOT, 1, vec![whole("here")]).await;
    let process = house.process().await;
    process.ready().await;
    let known = async |path: &str| process.known(path).await.unwrap_or_default();
    assert_eq!(known("guilds/100").await["id"], "100");
    assert_eq!(known("guilds/100/channels").await[0]["name"], "general");
    assert_eq!(known("guilds/100/channels/201").await["permission_overwrites"][0]["deny"], "1024");
    assert_eq!(known("guilds/100/threads/202").await["parent_id"], "201");
    assert_eq!(known("guilds/100/roles/301").await["name"], "Support");
    assert_eq!(known("guilds/100/emojis").await, serde_json::json!([]));
    assert_eq!(known("guilds/100/members/401").await["user"]["username"], "sam");
    assert_eq!(known("guilds/100/members?limit=2").await.as_array().unwrap().len(), 2);
    assert_eq!(known("guilds/100/members?after=401&limit=1").await[0]["user"]["id"], "402");
    let many = known("guilds/100/members?ids=402,555").await;
    assert_eq!((&many["found"][0]["user"]["id"], &many["missing"]), (&"402".into(), &serde_json::json!(["555"])));
    let many = known("guilds?ids=100,101").await;
    assert_eq!((&many["found"][0]["name"], &many["missing"]), (&"here".into(), &serde_json::json!(["101"])));
    assert_eq!(known("users/402").await["username"], "mia");
    // Who has the role sees the channel, and with it the thread; who has it not sees neither.
    for (channel, user, sees) in [(201, 401, true), (202, 401, true), (201, 402, false), (202, 402, false)] {
        let permitted = known(&format!("guilds/100/channels/{channel}/members/{user}")).await;
        let permissions: u64 = permitted["permissions"].as_str().unwrap().parse().unwrap();
        assert_eq!(permissions & 1024 != 0, sees, "{channel} {user}: {permitted}");
    }
    for unknown in [
        "guilds/101",
        "guilds/101/channels",
        "guilds/100/channels/999",
        "guilds/100/members/999",
        "guilds/100/channels/201/members/999",
        "guilds/100/channels/999/members/401",
        "users/999",
    ] {
        assert_eq!(process.known(unknown).await, None, "{unknown}");
    }
    for bad in ["guilds/none", "guilds", "guilds?ids=a", "guilds/100/members?ids=0"] {
        assert_eq!(process.get(bad).await.status(), StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_a_tag_that_changes_with_it_and_a_compact_form() {
    let house = House::new().await;
    house.happens(BOT, 1, vec![whole("here")]).await;
    let (process, twin) = (house.process().await, house.process().await);
    process.ready().await;
    twin.ready().await;
    let path = "guilds/100/channels";
    let tag = process.get(path).await.headers()["etag"].clone();
    assert_eq!(twin.get(path).await.headers()["etag"], tag, "whoever answers");
    let again = async || process.request(path).header("if-none-match", &tag).send().await.unwrap().status();
    assert_eq!(again().await, StatusCode::NOT_MODIFIED);
    let compact = process.request(path).header("accept", COMPACT).send().await.unwrap();
    assert_eq!(compact.headers()["content-type"], COMPACT);
    assert_eq!(compact.headers()["vary"], format!("accept, {BOT_ID}"), "nobody between keeps one for the other");
    let compact: Vec<Channel> = cache::decode(&compact.bytes().await.unwrap()).unwrap();
    let plain: Vec<Channel> = process.get(path).await.json().await.unwrap();
    assert_eq!(compact, plain);
    house.happens(BOT, 2, vec![Change::ChannelGone(Id::new(201))]).await;
    until("another answer", async || again().await == StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_keeps_the_guild_and_one_of_which_nothing_is_known_has_no_lists() {
    let house = House::new().await;
    house.happens(BOT, 1, vec![Change::Unavailable]).await;
    let process = house.process().await;
    process.ready().await;
    assert_eq!(process.known("guilds/100").await.unwrap()["unavailable"], true);
    assert_eq!(process.known("guilds/100/channels").await, None, "an empty list would be a lie");
    assert_eq!(process.known("guilds/count").await.unwrap()["count"], 1);
    house.happens(BOT, 2, vec![whole("back")]).await;
    process.names("back").await;
    house.happens(BOT, 3, vec![Change::Unavailable]).await;
    until("an outage", async || process.known("guilds/100").await.unwrap()["unavailable"] == true).await;
    assert_eq!(process.known("guilds/100/channels").await.unwrap().as_array().unwrap().len(), 1);
    assert_eq!(process.known("guilds/count").await.unwrap()["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_intent_is_the_public_bots_and_no_customers() {
    let house = House::new().await;
    // Seen in the first seconds of 1970.
    house.happens(BOT, 1, vec![whole("ours")]).await;
    house.happens(OTHER_BOT, 1, vec![whole("a customer's")]).await;
    let named = house.process_with(|config| config.bot = Some(BOT)).await;
    let unnamed = house.process().await;
    for (process, bot, counts) in
        [(&named, BOT, true), (&named, OTHER_BOT, false), (&unnamed, BOT, false), (&unnamed, OTHER_BOT, false)]
    {
        process.ready().await;
        let answer = process.request("guilds/100/members/401").header(BOT_ID, bot.get()).send().await.unwrap();
        assert_eq!(answer.status() == StatusCode::OK, counts, "{bot}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_the_guilds_of_the_moment() {
    let house = House::new().await;
    let process = house.process().await;
    process.ready().await;
    let counted = async |number: u32| {
        let metrics = process.get("metrics").await.text().await.unwrap();
        metrics.lines().any(|line| line.starts_with("cache_guilds{") && line.ends_with(&format!(" {number}")))
    };
    assert!(counted(0).await);
    house.happens(BOT, 1, vec![whole("one")]).await;
    house.happens(OTHER_BOT, 1, vec![whole("one")]).await;
    until("two guilds", async || counted(2).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_intent_what_is_known_of_a_member_counts_for_a_while() {
    let house = House::new().await;
    // Seen in the first seconds of 1970.
    house.happens(BOT, 1, vec![whole("here")]).await;
    let process = house.process_with(|config| config.members.told = false).await;
    process.ready().await;
    assert_eq!(process.known("guilds/100/members/401").await, None, "the member may be another one by now");
    assert!(process.known(&format!("guilds/100/members/{BOT}")).await.is_some(), "of itself a bot is always told");
    let listed = process.known("guilds/100/members").await.unwrap();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["user"]["id"]), (1, &BOT.to_string().into()), "{listed}");

    let member: Member = serde_json::from_str(r#"{"user":{"id":"401","username":"sam"},"roles":[]}"#).unwrap();
    let epoch = process.get("guilds/100/members/401").await.headers()[EPOCH].clone();
    let now_ms = common::clock::Clock::system().now_ms();
    let put = async |epoch: &str, user: &str| {
        let url = format!("http://{}/guilds/100/members/{user}", process.addr);
        let request = common::http::client("test").unwrap().put(url).header(EPOCH, epoch).header(READ_MS, now_ms);
        request.body(cache::encode(&member).unwrap()).send().await.unwrap().status()
    };
    assert_eq!(put("0", "401").await, StatusCode::CONFLICT, "something happened since");
    assert_eq!(put("x", "401").await, StatusCode::BAD_REQUEST);
    assert_eq!(put(epoch.to_str().unwrap(), "402").await, StatusCode::BAD_REQUEST, "another member");
    assert_eq!(put(epoch.to_str().unwrap(), "401").await, StatusCode::NO_CONTENT);
    until("the member", async || process.known("guilds/100/members/401").await.is_some()).await;
    assert_eq!(process.known("guilds/100/members/401").await.unwrap()["roles"], serde_json::json!([]));
}
