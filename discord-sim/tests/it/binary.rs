//! The program itself.

use std::process::Stdio;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::house::House;

fn program(rate_limits: Option<&str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_discord-sim"));
    command.args(["--listen", "127.0.0.1:0"]).env_remove("SIM_RATE_LIMITS").kill_on_drop(true);
    if let Some(mode) = rate_limits {
        command.env("SIM_RATE_LIMITS", mode);
    }
    command
}

#[tokio::test]
async fn the_program_limits_bots_unless_it_is_told_otherwise() {
    // A client wants a TLS provider.
    let _house = House::build().await;
    for (given, mode) in [(None, "real"), (Some("real"), "real"), (Some("off"), "off")] {
        let mut running = program(given).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        let page = first.strip_prefix("page").unwrap().trim();
        let rest: Value = reqwest::get(format!("{page}_sim/rest")).await.unwrap().json().await.unwrap();
        assert_eq!(rest["limits"]["mode"], mode);
        running.kill().await.unwrap();
    }
}

#[tokio::test]
async fn the_program_refuses_a_variable_that_it_does_not_understand() {
    let ended = program(Some("maybe")).output().await.unwrap();
    assert!(!ended.status.success());
    let log = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(log.contains("SIM_RATE_LIMITS: \"maybe\" is neither \"real\" nor \"off\""), "{log}");
}
