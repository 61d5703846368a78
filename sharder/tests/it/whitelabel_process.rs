//! The real process of customers' bots.

use std::process::Stdio;

use secrecy::ExposeSecret;
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
};

use crate::whitelabel_town::{Customer, KEYS, Town};

fn process(town: &Town) -> Child {
    let config = town.config();
    Command::new(env!("CARGO_BIN_EXE_whitelabel"))
        .env("ENCRYPTION_KEYS", KEYS)
        .env("PUBLIC_TOKEN", town.seed.token(&town.sim))
        .env("DATABASE_URI", config.database.uri.expose_secret())
        .env("GLOBAL_RESOLVER_URL", town.sim.api_url())
        .env("KAFKA_BROKERS", &config.kafka.brokers)
        .env("KAFKA_TOPIC", &config.kafka.events_topic)
        .env("KAFKA_INTERACTIONS_TOPIC", &config.kafka.interactions_topic)
        .env("KAFKA_CACHE_TOPIC", &config.kafka.cache_topic)
        .env("KAFKA_PARTITIONS", config.kafka.partitions.to_string())
        .env("METRICS_ADDR", "127.0.0.1:0")
        .env("RUST_LOG", "trace")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn refused(town: &Town, customer: Customer) {
    town.until_row(customer, "its refusal", |row| row.bot.refusal.is_some()).await;
    town.until_told(customer).await;
}

#[tokio::test]
async fn no_secret_is_in_the_logs_however_much_is_logged() {
    let town = Town::build().await;
    let customer = town.customer(false);
    town.add_silently(customer).await;
    let mut process = process(&town);
    let mut stderr = process.stderr.take().unwrap();
    let logs = tokio::spawn(async move {
        let mut logs = Vec::new();
        stderr.read_to_end(&mut logs).await.unwrap();
        String::from_utf8_lossy(&logs).into_owned()
    });
    town.connected(customer).await;
    town.chat(customer, 5);
    town.all_in_kafka(customer).await;
    let old = town.token(customer);
    town.sim.write(|state| state.reset_token(customer.bot));
    refused(&town, customer).await;
    process.kill().await.unwrap();

    let logs = logs.await.unwrap();
    assert!(logs.contains("stays off"), "the refusal is logged");
    let keys = KEYS.split_once(':').unwrap().1.to_owned();
    for secret in [old, town.token(customer), town.seed.token(&town.sim), keys] {
        assert!(!logs.contains(&secret), "a secret is in the logs");
    }
}

#[tokio::test]
async fn a_bad_configuration_exits_with_64_and_names_everything() {
    let output = Command::new(env!("CARGO_BIN_EXE_whitelabel"))
        .env_clear()
        .env("SHARDER_ID", "7")
        .current_dir(std::env::temp_dir())
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in ["ENCRYPTION_KEYS", "DATABASE_URI", "SHARDER_ID", "KAFKA_BROKERS"] {
        assert!(text.contains(name), "{text}");
    }
}
