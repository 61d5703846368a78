use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

/// `examples/minimal.rs`, which `cargo test` builds beside the tests.
fn minimal(variables: &[(&str, &str)]) -> Child {
    let test = env::current_exe().unwrap();
    let target = test.parent().unwrap().parent().unwrap();
    let directory = tempfile::tempdir().unwrap();
    Command::new(target.join("examples").join("minimal"))
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(directory.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example is not built: run all targets of the package (cargo test -p common)")
}

fn outcome(mut child: Child) -> (Option<i32>, String) {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (child.wait().unwrap().code(), text)
}

#[test]
fn a_bad_configuration_exits_64_with_all_its_problems() {
    let (code, text) = outcome(minimal(&[("SERVER_ADDR", "nowhere"), ("LOG_FORMAT", "fancy")]));
    assert_eq!(code, Some(64), "{text}");
    for variable in ["SERVER_ADDR", "GREETING", "LOG_FORMAT"] {
        assert!(text.contains(variable), "{variable} is missing: {text}");
    }
}

#[test]
fn a_failure_exits_1_and_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let (code, text) = outcome(minimal(&[("SERVER_ADDR", &addr), ("GREETING", "hunter2")]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("listen on {addr}")), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_sigterm_ends_the_process_cleanly() {
    let mut child = minimal(&[("SERVER_ADDR", "127.0.0.1:0"), ("GREETING", "hello")]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let listens = lines.by_ref().map(Result::unwrap).find(|line| line.contains("listens on"));
    let line: serde_json::Value = serde_json::from_str(&listens.expect("it listens")).unwrap();
    assert_eq!(line["service"], "minimal", "{line}");

    let kill = Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status().unwrap();
    assert!(kill.success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("minimal stopped")), "{rest:?}");
}
