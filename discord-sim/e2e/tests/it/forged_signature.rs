use e2e::{Interactions, World};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_click_is_refused_and_opens_nothing() {
    let world = World::start(Interactions::ByHttp).await;
    let panel = world.set_up().await;
    let genuine = world.press_open(world.seed.member, &panel);
    world.sim.response(genuine).await;
    let mut payload = world.sim.interaction(genuine).expect("the click").payload;
    // The same click, as somebody else would like it to be.
    payload["member"]["user"]["id"] = json!(world.seed.other_member);
    payload["id"] = json!("1");
    let client = reqwest::Client::new();
    for (signature, timestamp) in [
        ("00".repeat(64), "1700000000".to_owned()),
        (String::new(), "0".to_owned()),
        ("zz".repeat(64), "now".to_owned()),
    ] {
        let request = client
            .post(&world.endpoint)
            .header("x-signature-ed25519", signature)
            .header("x-signature-timestamp", timestamp);
        let status = request
            .header("content-type", "application/json")
            .body(payload.to_string())
            .send()
            .await
            .expect("an answer")
            .status();
        assert_eq!(status, 401);
    }
    let unsigned = client.post(&world.endpoint).body(payload.to_string()).send().await.expect("an answer").status();
    assert_eq!(unsigned, 401);
    assert_eq!(world.ticket_channels().len(), 1, "only the genuine click opened a ticket");
    world.finish().await;
}
