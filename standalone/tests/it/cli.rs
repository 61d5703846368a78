use std::{
    process::{Command, Output},
    time::Duration,
};

use discord_sim::Sim;
use tokio::net::TcpListener;

/// In an empty environment, and a folder without a `.env`.
fn command(folder: &tempfile::TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_standalone"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).current_dir(folder.path());
    command
}

fn standalone(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    command(&folder, arguments, variables).output().expect("the binary runs")
}

#[track_caller]
fn refuses(arguments: &[&str], variables: &[(&str, &str)], named: &[&str]) {
    let output = standalone(arguments, variables);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{text}");
    for name in named {
        assert!(text.contains(name), "{name} is not named in:\n{text}");
    }
}

#[test]
fn every_service_names_all_missing_variables_and_exits_64() {
    refuses(&["run"], &[], &["DISCORD_TOKEN", "DATABASE_URI", "KAFKA_BROKERS"]);
    refuses(&["service", "worker"], &[], &["DISCORD_TOKEN", "DATABASE_URI", "KAFKA_BROKERS"]);
    refuses(&["service", "sharder"], &[], &["SHARDER_TOKEN", "KAFKA_BROKERS"]);
    refuses(&["service", "whitelabel-sharder"], &[], &["ENCRYPTION_KEYS", "DATABASE_URI", "KAFKA_BROKERS"]);
    refuses(
        &["service", "http-gateway"],
        &[],
        &["PUBLIC_BOT_ID", "PUBLIC_PUBLIC_KEY", "WORKER_SVC_URI", "KAFKA_BROKERS"],
    );
    refuses(&["demo"], &[], &["DATABASE_URI", "KAFKA_BROKERS"]);
}

#[test]
fn wrong_values_are_named_beside_missing_ones_and_secrets_are_not_shown() {
    let variables = [
        ("DISCORD_TOKEN", "very-secret"),
        ("SERVER_ADDR", "nowhere"),
        ("SHARDER_CLUSTER_SIZE", "0"),
        ("METRICS_ADDR", "x"),
    ];
    refuses(&["run"], &variables, &["SERVER_ADDR", "nowhere", "SHARDER_CLUSTER_SIZE", "METRICS_ADDR", "DATABASE_URI"]);
    let output = standalone(&["run"], &variables);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("very-secret"));
}

#[test]
fn config_lists_every_variable_of_every_service() {
    let table = standalone(&["config"], &[]);
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.status.success());
    for (service, variables) in standalone::settings::all() {
        assert!(text.contains(&format!("### {service}")));
        for variable in variables {
            assert!(text.contains(variable.name), "{} of {service}", variable.name);
        }
    }
    let dotenv = standalone(&["config", "--format", "env"], &[]);
    assert!(String::from_utf8_lossy(&dotenv.stdout).contains("DISCORD_TOKEN="));
}

#[tokio::test]
async fn a_wrong_token_ends_the_run_and_names_its_variable() {
    common::tls::install_provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for Discord");
    let sim = Sim::start(listener).expect("Discord starts");
    let variables = [
        ("DISCORD_TOKEN", "very-secret"),
        ("DISCORD_API_URL", &sim.api_url()),
        ("SERVER_ADDR", "127.0.0.1:0"),
        ("METRICS_ADDR", "127.0.0.1:0"),
        // Nobody is there, and nobody is asked: Discord comes first.
        ("DATABASE_URI", "postgres://127.0.0.1:1/tickets"),
        ("KAFKA_BROKERS", "127.0.0.1:1"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = tokio::process::Command::from(command(&folder, &["run"], &variables));
    let run = tokio::time::timeout(Duration::from_secs(30), run.kill_on_drop(true).output());
    let output = run.await.expect("it ends").expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for named in ["DISCORD_TOKEN", "developer portal", "401"] {
        assert!(text.contains(named), "{named} is not named in:\n{text}");
    }
    assert!(!text.contains("very-secret"), "{text}");
}
