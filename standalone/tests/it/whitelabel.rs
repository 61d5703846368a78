//! The operator's commands for customers' own bots.

use std::process::Stdio;

use common::crypto::Vault;
use database::scratch::Scratch;
use discord_sim::{Sim, seed::Seed};
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command};

const KEYS: &str = "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NEW_KEYS: &str = "2:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=,1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

struct Desk {
    sim: Sim,
    seed: Seed,
    scratch: Scratch,
    folder: TempDir,
    keys: &'static str,
}

/// What a command answered.
#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Desk {
    async fn open() -> Self {
        common::tls::install_provider();
        let sim = Sim::start(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
        let seed = Seed::plant(&sim);
        let scratch = Scratch::create().await.unwrap();
        Self { sim, seed, scratch, folder: tempfile::tempdir().unwrap(), keys: KEYS }
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Answer {
        let redis = std::env::var("REDIS_ADDR").expect("no Redis for this test: run scripts/test, or set REDIS_ADDR");
        let mut child = Command::new(env!("CARGO_BIN_EXE_standalone"))
            .arg("whitelabel")
            .args(arguments)
            .env_clear()
            .env("DATABASE_URI", self.scratch.uri.expose_secret())
            .env("REDIS_ADDR", redis)
            .env("ENCRYPTION_KEYS", self.keys)
            .env("DISCORD_API_URL", self.sim.api_url())
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that reads no token may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Answer { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    #[track_caller]
    fn done(answer: &Answer, said: &str) {
        assert!(answer.code == Some(0) && answer.stdout.contains(said) && answer.stderr.is_empty(), "{answer:?}");
    }

    #[track_caller]
    fn refused(answer: &Answer, code: i32, said: &str) {
        assert!(answer.code == Some(code) && answer.stderr.contains(said), "{answer:?}");
    }
}

#[tokio::test]
async fn a_bot_is_added_changed_listed_and_removed() {
    let desk = Desk::open().await;
    let token = desk.seed.token(&desk.sim);
    let (bot, owner) = (desk.seed.application.to_string(), desk.seed.admin.to_string());
    Desk::done(&desk.run(&["add", "--owner", &owner], &format!("Bot {token}\n")).await, &bot);
    Desk::refused(&desk.run(&["add", "--owner", &owner], &token).await, 1, "already");

    let mut bots = desk.scratch.database.whitelabel_bots();
    let row = bots.by_id(desk.seed.application).await.unwrap().unwrap();
    let vault = Vault::new(&KEYS.into()).unwrap();
    assert_eq!(row.token.open(&vault).unwrap().expose_secret(), token);
    assert_eq!((row.bot.owner, row.bot.enabled, row.bot.message_content), (desk.seed.admin, true, true));

    let shown = ["presence", &bot, "--status", "dnd", "--watching", "12 tickets"];
    Desk::done(&desk.run(&shown, "").await, "watching \"12 tickets\"");
    Desk::done(&desk.run(&["disable", &bot], "").await, "disconnects");
    let list = desk.run(&["list"], "").await;
    Desk::done(&list, "disabled");
    assert!(list.stdout.contains("dnd, watching") && !list.stdout.contains(&token), "{list:?}");
    Desk::done(&desk.run(&["enable", &bot, "--message-content", "false"], "").await, "connects");
    Desk::done(&desk.run(&["presence", &bot, "--clear"], "").await, "shows nothing");
    let row = bots.by_id(desk.seed.application).await.unwrap().unwrap();
    assert_eq!((row.bot.enabled, row.bot.message_content, row.bot.presence), (true, false, None));

    bots.mark_refused(desk.seed.application, row.bot.token_version, 4004, "the token is wrong").await.unwrap();
    let json = desk.run(&["list", "--json"], "").await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["state"], &json["refusal"]["code"]), (&"refused".into(), &4004.into()));

    Desk::refused(&desk.run(&["remove", &bot], "").await, 64, "--yes");
    assert!(bots.by_id(desk.seed.application).await.unwrap().is_some());
    Desk::done(&desk.run(&["remove", &bot, "--yes"], "").await, "forgotten");
    assert!(bots.by_id(desk.seed.application).await.unwrap().is_none());
    Desk::refused(&desk.run(&["disable", &bot], "").await, 1, "there is no bot");
}

#[tokio::test]
async fn a_token_is_changed_for_the_bot_that_discord_says_it_is_of() {
    let desk = Desk::open().await;
    let token = desk.seed.token(&desk.sim);
    Desk::refused(&desk.run(&["token"], &token).await, 1, "`add` adds it");
    let owner = desk.seed.admin.to_string();
    desk.run(&["add", "--owner", &owner], &token).await;
    let new = desk.sim.write(|state| state.reset_token(desk.seed.application));
    let old = desk.run(&["token"], &token).await;
    Desk::refused(&old, 1, "Discord refuses this token");
    assert!(!old.stderr.contains(&token), "{old:?}");
    Desk::done(&desk.run(&["token"], &new).await, "has this token now");
    Desk::refused(&desk.run(&["token"], "\n").await, 1, "there is no token");
    let person = desk.sim.read(|state| state.users[&desk.seed.admin].token.clone());
    assert_eq!(desk.run(&["token"], &person).await.code, Some(1));
}

#[tokio::test]
async fn tokens_are_sealed_anew_with_the_first_key() {
    let mut desk = Desk::open().await;
    let token = desk.seed.token(&desk.sim);
    let owner = desk.seed.admin.to_string();
    desk.run(&["add", "--owner", &owner], &token).await;
    desk.keys = NEW_KEYS;
    Desk::done(&desk.run(&["reseal"], "").await, "1 tokens are sealed with key 2 now");
    Desk::done(&desk.run(&["reseal"], "").await, "0 tokens");
    let row = desk.scratch.database.whitelabel_bots().by_id(desk.seed.application).await.unwrap().unwrap();
    assert_eq!(row.token.key(), Some(2));
}

#[tokio::test]
async fn a_wrong_command_line_or_variable_exits_with_64_and_no_token_is_taken_from_it() {
    let mut desk = Desk::open().await;
    for arguments in [&["add"][..], &["presence", "1"], &["presence", "1", "--clear", "--status", "dnd"]] {
        assert_eq!(desk.run(arguments, "").await.code, Some(64), "{arguments:?}");
    }
    for arguments in [&["token", "abc"][..], &["add", "--owner", "1", "--token", "abc"]] {
        assert_eq!(desk.run(arguments, "").await.code, Some(64), "{arguments:?}");
    }
    let long = "x".repeat(129);
    assert_eq!(desk.run(&["presence", "1", "--playing", &long], "").await.code, Some(64));
    desk.keys = "1:hunter2";
    let answer = desk.run(&["token"], "").await;
    Desk::refused(&answer, 64, "ENCRYPTION_KEYS");
    assert!(!answer.stderr.contains("hunter2"), "{answer:?}");
}
