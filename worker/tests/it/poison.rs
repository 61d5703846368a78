//! What nobody should write, as far as it decodes: a handler refuses it or passes it over, and never panics.

use event_stream::{Class, Headers, Message, testing::Expected};
use event_stream::{Failure, GatewayEvents, Topic as _, testing};

use crate::house::House;

#[tokio::test]
async fn poison_is_refused_or_passed_over() {
    let house = House::furnished().await;
    let mut decoded = 0;
    for poison in testing::poison(house.cx.bot) {
        let pairs: Vec<(&str, &[u8])> = poison
            .record
            .headers
            .iter()
            .filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value.as_deref()?)))
            .collect();
        let message = Message {
            topic: "poison".into(),
            partition: 0,
            offset: 0,
            key: None,
            headers: Headers::from_pairs(pairs),
            payload: poison.record.payload.map(Into::into),
        };
        let Ok(event) = GatewayEvents::decode(&message) else { continue };
        decoded += 1;
        let outcome: Result<(), Failure> = worker::events::handle(&house.cx, &event).await;
        match poison.expected {
            Expected::Handled => assert!(outcome.is_ok(), "{}: {outcome:?}", poison.name),
            Expected::Dead(Class::Discarded) => {
                let shown = format!("{:?}", outcome.expect_err(poison.name));
                assert!(shown.contains("Discard"), "{}: {shown}", poison.name);
            }
            // The schema is looked at before.
            Expected::Dead(_) => assert!(poison.name.contains("schema"), "{} decodes", poison.name),
        }
    }
    assert!(decoded >= 40, "{decoded}");
    house.leave().await;
}
