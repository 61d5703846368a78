//! What the READMEs say of variables is what the code reads.

use std::{collections::BTreeSet, fs, path::Path};

/// Each service's README names the variables that the service reads; those that services share stand in the READMEs of their libraries.
#[test]
fn each_readme_names_the_variables_of_its_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let read = |name: &str| fs::read_to_string(root.join(name).join("README.md")).expect("a README");
    let shared: String = ["common", "database", "event-stream"].map(read).concat();
    for (service, variables) in standalone::settings::all() {
        if !root.join(service).is_dir() || service == "standalone" {
            continue;
        }
        let readme = read(service) + &shared;
        for variable in &variables {
            assert!(
                readme.contains(&format!("`{}`", variable.name)),
                "neither {service}/README.md nor a library's names `{}`",
                variable.name
            );
        }
    }
}

/// The root's table of crates is the workspace.
#[test]
fn the_crate_table_is_the_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    let named: BTreeSet<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("| [`")?.split('`').next()).collect();
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).expect("members");
    let members: BTreeSet<&str> =
        members.split(',').map(|member| member.trim().trim_matches('"')).filter(|member| !member.is_empty()).collect();
    assert_eq!(named, members);
}
