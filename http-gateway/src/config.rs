//! The variables of the gateway.

use std::net::SocketAddr;

use common::config::{Env, FromEnv, Invalid, Value};
use event_stream::KafkaConfig;
use secrecy::SecretString;
use twilight_model::id::{Id, marker::ApplicationMarker};
use url::Url;

use crate::signature::PublicKey;

/// The configuration.
pub struct Config {
    /// `SERVER_ADDR`: where to listen.
    pub server_addr: SocketAddr,
    /// `PUBLIC_BOT_ID`: the application whose interactions come in.
    pub bot: Id<ApplicationMarker>,
    /// `PUBLIC_PUBLIC_KEY`: the key that Discord signs them with.
    pub key: PublicKey,
    /// `WORKER_SVC_URI`: the worker.
    pub worker: Url,
    /// `WORKER_SHARED_KEY`: what the worker demands; it takes clicks from nobody else then.
    pub shared_key: Option<SecretString>,
    /// Kafka, which keeps the clicks that no worker answered in time.
    pub kafka: KafkaConfig,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let server_addr =
            env.var("SERVER_ADDR").about("where to listen for Discord's requests").default("127.0.0.1:8080").required();
        let bot = env
            .var("PUBLIC_BOT_ID")
            .about("the application's id, from its page in the developer portal")
            .example("508391840525975553")
            .required();
        let key = env
            .var("PUBLIC_PUBLIC_KEY")
            .about("the application's public key, from the same page")
            .example("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
            .required_as("the 64 hexadecimal digits of an ed25519 key that is not weak", |text| {
                text.parse::<PublicKey>().ok()
            });
        let worker = env
            .var("WORKER_SVC_URI")
            .about("the worker that answers interactions")
            .example("http://127.0.0.1:8081")
            .required_as("an address: http://host:port, or host:port", worker);
        let shared_key = env
            .var("WORKER_SHARED_KEY")
            .about("a long random text that the worker has too; it then takes clicks from nobody else")
            .optional_secret();
        let kafka = KafkaConfig::from_env(env);
        Ok(Self {
            server_addr: server_addr?,
            bot: bot?,
            key: key?,
            worker: worker?,
            shared_key: shared_key?,
            kafka: kafka?,
        })
    }
}

/// A URL, or a host and a port as the variable held before it became one.
fn worker(text: &str) -> Option<Url> {
    if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) }
        .ok()
        .and_then(|url| <Url as Value>::parse(url.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_is_a_url_or_a_host_and_a_port() {
        assert_eq!(worker("worker:8081").unwrap().as_str(), "http://worker:8081/");
        assert_eq!(worker("https://worker.test/x").unwrap().as_str(), "https://worker.test/x");
        assert_eq!(worker("ftp://worker:1"), None);
        assert_eq!(worker(""), None);
    }

    #[test]
    fn a_weak_key_is_refused_at_the_start() {
        let zero = "0".repeat(64);
        let mut env = Env::from_pairs([("PUBLIC_PUBLIC_KEY", zero.as_str()), ("PUBLIC_BOT_ID", "x")]);
        let text = common::config::read::<Config>(&mut env).err().unwrap().to_string();
        for name in ["PUBLIC_BOT_ID", "PUBLIC_PUBLIC_KEY", "not weak", "WORKER_SVC_URI", "KAFKA_BROKERS"] {
            assert!(text.contains(name), "{name}: {text}");
        }
    }
}
