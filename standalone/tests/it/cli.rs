use std::process::{Command, Output};

fn standalone(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    // An empty environment, and a folder without a `.env`.
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_standalone"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).current_dir(folder.path());
    command.output().expect("the binary runs")
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
