//! The program itself.

#[test]
fn a_bad_configuration_exits_with_64_and_names_everything() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_server-counter"))
        .env_clear()
        .env("SERVER_ADDR", "nowhere")
        .env("CACHE_URI", "127.0.0.1:7878")
        .env("PUBLIC_BOT_ID", "0")
        .env("COUNTER_INTERVAL", "0")
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in ["SERVER_ADDR", "CACHE_URI", "PUBLIC_BOT_ID", "COUNTER_INTERVAL"] {
        assert!(text.contains(name), "{text}");
    }
}
