//! `standalone dead-letters` against a real Kafka.

use std::process::{Command, Output};

use event_stream::{
    Error, GatewayEvents, KafkaConfig, LateInteractions, dead_letters_of, ensure_topics,
    testing::{self, Raw},
};
use model::topics::GatewayEvent;
use serde_json::Value;
use time::OffsetDateTime;
use twilight_model::id::Id;

const TOKEN: &str = "aW50ZXJhY3Rpb246MTIzNDU2Nzg5MDEyMzQ1Njc4OTA6c2VjcmV0";

/// Topics of one test, and the command with nothing but their variables.
struct Operator {
    config: KafkaConfig,
    folder: tempfile::TempDir,
}

impl Operator {
    async fn new() -> Operator {
        let config = testing::config();
        ensure_topics(&config).await.expect("the topics are made");
        Operator { config, folder: tempfile::tempdir().expect("a folder") }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_standalone"))
            .arg("dead-letters")
            .args(arguments)
            .env_clear()
            .env("KAFKA_BROKERS", &self.config.brokers)
            .env("KAFKA_TOPIC", &self.config.events_topic)
            .env("KAFKA_INTERACTIONS_TOPIC", &self.config.interactions_topic)
            .current_dir(self.folder.path())
            .output()
            .expect("the binary runs")
    }

    /// Standard output of a command that ends with this code.
    #[track_caller]
    fn told(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}:\n{out}\n{err}");
        format!("{out}{err}")
    }

    fn events(&self) -> String {
        dead_letters_of::<GatewayEvents>(&self.config)
    }

    fn clicks(&self) -> String {
        dead_letters_of::<LateInteractions>(&self.config)
    }

    /// Writes a letter as a consumer that gave it up does.
    async fn bury(&self, origin: &str, class: &str, error: &str, headers: &[(&str, &str)], payload: &[u8]) {
        let marks = [
            ("dead-topic", origin),
            ("dead-partition", "2"),
            ("dead-offset", "17"),
            ("dead-group", "worker.events"),
            ("dead-attempts", "3"),
            ("dead-class", class),
            ("dead-error", error),
        ];
        let headers = headers.iter().chain(&marks);
        let headers =
            headers.map(|(name, value)| (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec()))).collect();
        let record = Raw { headers, ..Raw::new(b"5", payload) };
        let topic = format!("{origin}-dead");
        testing::send_raw(&self.config, &topic, &[record]).await.expect("the letter is written");
    }

    /// An event that was discarded, and a click whose handler panicked.
    async fn bury_both(&self) {
        let event = [("schema", "1"), ("bot", "1"), ("type", "MESSAGE_CREATE\u{1b}[2J"), ("guild", "5")];
        let payload = format!(r#"{{"op":0,"d":{{"content":"what a member wrote","token":"{TOKEN}"}}}}"#);
        let error = "no such guild:\nlook again";
        self.bury(&self.config.events_topic, "discarded", error, &event, payload.as_bytes()).await;
        let click = [("schema", "1"), ("bot", "1"), ("interaction", "77")];
        let payload = format!(r#"{{"id":"77","token":"{TOKEN}","data":"#);
        self.bury(&self.config.interactions_topic, "panicked", "a bug", &click, payload.as_bytes()).await;
    }

    async fn records(&self, topic: &str) -> usize {
        testing::read_raw(&self.config, topic).await.expect("the topic is read").len()
    }
}

#[tokio::test]
async fn list_shows_where_letters_come_from_and_no_values() {
    let operator = Operator::new().await;
    operator.bury_both().await;
    let text = operator.told(0, &["list"]);
    for shown in [
        &format!("{}/0/0", operator.events()),
        &format!("{}/2/17", operator.config.events_topic),
        "worker.events",
        r"MESSAGE_CREATE\u{1b}[2J",
        r"no such guild:\nlook again",
        "discarded: 1 waiting, 0 replayed",
        "panicked: 1 waiting, 0 replayed",
        "2 dead letters wait, 0 were replayed; 2 are shown",
    ] {
        assert!(text.contains(shown), "{shown} is not shown in:\n{text}");
    }
    assert!(!text.contains("what a member wrote") && !text.contains(&TOKEN[..8]), "{text}");

    for (arguments, shown) in [
        (&["list", "--topic", "interactions"][..], 1),
        (&["list", "--class", "discarded"], 1),
        (&["list", "--class", "exhausted"], 0),
        (&["list", "--since", "1h"], 2),
        (&["list", "--limit", "1"], 1),
        (&["list", "--limit", "0"], 0),
    ] {
        let text = operator.told(0, arguments);
        assert!(text.contains(&format!("; {shown} are shown")), "{arguments:?}:\n{text}");
    }
}

#[tokio::test]
async fn list_is_read_by_programs() {
    let operator = Operator::new().await;
    operator.bury_both().await;
    let text = operator.told(0, &["list", "--json"]);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let [event, click, counts] = &lines[..] else { panic!("{text}") };
    assert_eq!(event["id"], format!("{}/0/0", operator.events()));
    assert_eq!((&event["class"], &event["offset"], &event["attempts"]), (&"discarded".into(), &17.into(), &3.into()));
    assert_eq!((&event["guild"], &event["replayed"]), (&"5".into(), &false.into()));
    assert!(event["died_at"].as_str().is_some_and(|at| at.starts_with("20")), "{event}");
    assert_eq!((&click["guild"], &click["type"]), (&Value::Null, &Value::Null));
    assert_eq!(counts["count"]["panicked"]["waiting"], 1);
    assert!(!text.contains(&TOKEN[..8]), "{text}");
}

#[tokio::test]
async fn show_prints_headers_and_value_and_cuts_tokens() {
    let operator = Operator::new().await;
    operator.bury_both().await;
    let text = operator.told(0, &["show", &format!("{}/0/0", operator.events())]);
    for shown in
        ["class     discarded", "attempts  3", "  guild: 5", "\"content\": \"what a member wrote\"", "key       5"]
    {
        assert!(text.contains(shown), "{shown} is not shown in:\n{text}");
    }
    // The value of the click is broken off.
    let click = operator.told(0, &["show", &format!("{}/0/0", operator.clicks())]);
    assert!(click.contains("\"id\":\"77\""), "{click}");
    for text in [text, click] {
        assert!(text.contains("… (52 characters)") && !text.contains(&TOKEN[..8]), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    let missing = format!("{}/0/9", operator.events());
    let text = operator.told(1, &["show", &missing]);
    assert!(text.contains(&format!("there is no dead letter {missing}")), "{text}");
}

#[tokio::test]
async fn replay_of_all_replays_each_once_and_names_what_it_cannot() {
    let operator = Operator::new().await;
    operator.bury_both().await;
    let producer = testing::producer(&operator.config).await.expect("a producer");
    let too_large = GatewayEvent {
        bot: Id::new(1),
        shard: 0,
        session: "session".to_owned(),
        sequence: 1,
        kind: "GUILD_CREATE".to_owned(),
        guild: None,
        received_at: OffsetDateTime::UNIX_EPOCH,
        trace: None,
        payload: "{}".into(),
    };
    let refused = producer.enqueue_refused::<GatewayEvents>(&too_large, &Error::QueueFull).expect("room in the queue");
    refused.await.expect("the letter is written");

    let text = operator.told(0, &["replay", "--all", "--dry-run"]);
    assert!(text.contains("would replay 2, 1 cannot be replayed"), "{text}");
    assert_eq!(operator.records(&operator.config.events_topic).await, 0);
    let text = operator.told(0, &["replay", "--all"]);
    assert!(text.contains("replayed 2, 1 cannot be replayed"), "{text}");
    assert!(text.contains(&format!("{}/0/1 cannot be replayed", operator.events())), "{text}");
    let text = operator.told(0, &["replay", "--all"]);
    assert!(text.contains("replayed 0, 2 were replayed before"), "{text}");
    assert_eq!(operator.records(&operator.config.events_topic).await, 1);
    assert_eq!(operator.records(&operator.config.interactions_topic).await, 1);

    let text = operator.told(0, &["list"]);
    assert!(text.contains("discarded: 0 waiting, 1 replayed") && text.contains("; 1 are shown"), "{text}");
    let text = operator.told(0, &["list", "--replayed"]);
    assert!(text.contains("discarded (replayed)") && text.contains("; 3 are shown"), "{text}");
    let text = operator.told(0, &["show", &format!("{}/0/0", operator.events())]);
    assert!(text.contains("replayed  yes"), "{text}");
}

#[tokio::test]
async fn a_letter_that_was_cut_is_said_to_be_so_and_is_not_replayed() {
    let operator = Operator::new().await;
    let headers =
        [("schema", "1"), ("bot", "1"), ("type", "GUILD_CREATE"), ("guild", "5"), ("dead-left-out", "17825792")];
    operator.bury(&operator.config.events_topic, "exhausted", "no", &headers, b"").await;
    let id = format!("{}/0/0", operator.events());
    let text = operator.told(0, &["list"]);
    assert!(text.contains("exhausted (cut, no replay)"), "{text}");
    assert!(operator.told(0, &["list", "--json"]).contains("\"left_out\":17825792"));
    let text = operator.told(0, &["show", &id]);
    assert!(text.contains("left out  17825792 bytes, which the topic does not take: it cannot be replayed"), "{text}");
    let text = operator.told(1, &["replay", &id]);
    assert!(text.contains(&format!("{id} cannot be replayed: 17825792 bytes of it were left out")), "{text}");
    assert_eq!(operator.records(&operator.config.events_topic).await, 0);
}

#[tokio::test]
async fn replay_of_some_fails_where_one_is_not_there_and_replays_the_others() {
    let operator = Operator::new().await;
    operator.bury_both().await;
    let (there, missing) = (format!("{}/0/0", operator.events()), format!("{}/0/44", operator.events()));
    let text = operator.told(1, &["replay", &missing, &there]);
    assert!(text.contains("replayed 1\n") && text.contains(&format!("there is no dead letter {missing}")), "{text}");
    let text = operator.told(0, &["replay", &there]);
    assert!(text.contains(&format!("{there} was replayed before; --again")), "{text}");
    operator.told(0, &["replay", "--again", &there]);
    assert_eq!(operator.records(&operator.config.events_topic).await, 2);
}

#[tokio::test]
async fn a_wrong_command_line_or_configuration_exits_64_and_says_what_is_wrong() {
    let operator = Operator::new().await;
    let id = format!("{}/0/0", operator.events());
    for (arguments, named) in [
        (&["replay"][..], "--all"),
        (&["replay", "--all", &id], "--all"),
        (&["replay", &id, "--class", "discarded"], "--class"),
        (&["replay", "nonsense"], "<topic>/<partition>/<offset>"),
        (&["show", "elsewhere-dead/0/0"], &operator.clicks()),
        (&["list", "--since", "yesterday"], "2h"),
        (&["list", "--class", "bad"], "undecodable"),
        (&["list", "--topic", "nothing"], "interactions"),
        (&["bury"], "bury"),
    ] {
        let text = operator.told(64, arguments);
        assert!(text.contains(named), "{named} is not named in:\n{text}");
    }
    let help = operator.told(0, &["replay", "--help"]);
    assert!(help.contains("--dry-run"), "{help}");

    let bare = Command::new(env!("CARGO_BIN_EXE_standalone")).args(["dead-letters", "list"]).env_clear().output();
    let bare = bare.expect("the binary runs");
    assert_eq!(bare.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&bare.stderr).contains("KAFKA_BROKERS"));
}

#[tokio::test]
async fn brokers_that_are_away_and_topics_that_are_not_there_are_failures() {
    let operator = Operator::new().await;
    let gone = Operator {
        config: KafkaConfig { events_topic: "no-such-topic".to_owned(), ..operator.config.clone() },
        folder: tempfile::tempdir().expect("a folder"),
    };
    let text = gone.told(1, &["list"]);
    assert!(text.contains("no-such-topic-dead does not exist"), "{text}");
    // Nobody listens on the port of a socket that was closed.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let away = Operator {
        config: KafkaConfig { brokers: free.to_string(), ..operator.config },
        folder: tempfile::tempdir().expect("a folder"),
    };
    let text = away.told(1, &["list"]);
    assert!(text.contains(&free.to_string()), "{text}");
}
