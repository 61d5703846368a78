//! The program itself.

#[test]
fn a_bad_configuration_exits_with_64_and_names_everything() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_stats-channel-updater"))
        .env_clear()
        .env("SERVER_COUNTER_URL", "127.0.0.1:8083")
        .env("CHANNEL_ID", "general")
        .env("CHANNEL_NAME_TEMPLATE", "{servers}")
        .env("UPDATE_INTERVAL", "1s")
        .env("METRICS_ADDR", "x")
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in [
        "SERVER_COUNTER_URL",
        "DISCORD_TOKEN",
        "CHANNEL_ID",
        "CHANNEL_NAME_TEMPLATE must have no placeholder but {count}",
        "UPDATE_INTERVAL",
        "METRICS_ADDR",
    ] {
        assert!(text.contains(name), "{text}");
    }
}
