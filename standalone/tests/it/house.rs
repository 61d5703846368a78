//! ARCHITECTURE.md, "Which way dependencies point", as tests over the manifests and the sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Libraries that services are built of.
const LIBRARIES: [&str; 5] = ["model", "common", "event-stream", "database", "cache"];
/// Crates that may depend on services, and are none.
const ABOVE_SERVICES: [&str; 3] = ["standalone", "e2e", "bench"];
/// The simulator and the tests that use it.
const SIMULATOR: &str = "discord-sim";

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().expect("cargo metadata")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

fn dependencies(package: &Package, kinds: &[DependencyKind]) -> BTreeSet<String> {
    package
        .dependencies
        .iter()
        .filter(|dependency| kinds.contains(&dependency.kind))
        .map(|dependency| dependency.name.clone())
        .collect()
}

/// Each crate's dependencies, without those of tests.
fn houses() -> BTreeMap<String, BTreeSet<String>> {
    let kinds = [DependencyKind::Normal, DependencyKind::Build];
    metadata().packages.iter().map(|package| (package.name.to_string(), dependencies(package, &kinds))).collect()
}

#[test]
fn model_is_data_without_input_or_output() {
    let houses = houses();
    for forbidden in
        houses.keys().map(String::as_str).chain(["tokio", "sqlx", "axum", "rdkafka", "reqwest", "deadpool-redis"])
    {
        assert!(!houses["model"].contains(forbidden), "model depends on {forbidden}");
    }
}

#[test]
fn common_knows_nothing_about_tickets() {
    let houses = houses();
    for house in houses.keys() {
        assert!(!houses["common"].contains(house), "common depends on {house}");
    }
}

#[test]
fn each_library_of_the_outside_has_one_door() {
    for (library, doors) in [
        // `bench` holds the sharder against a bare program of these two.
        ("rdkafka", &["event-stream", "bench"][..]),
        ("sqlx", &["bench", "cache", "database"]),
        ("deadpool-redis", &["common", "sharder"]),
        ("hyper-util", &["common"]),
        ("twilight-gateway", &["sharder", "bench"]),
        ("sentry", &["common"]),
        ("dotenvy", &["common"]),
    ] {
        for (house, dependencies) in houses() {
            assert!(
                doors.contains(&house.as_str()) || !dependencies.contains(library),
                "{house} depends on {library}: only {doors:?} may"
            );
        }
    }
}

#[test]
fn services_meet_only_through_topics_and_routes() {
    let houses = houses();
    let services: Vec<_> = houses
        .keys()
        .filter(|house| {
            !LIBRARIES.contains(&house.as_str()) && !ABOVE_SERVICES.contains(&house.as_str()) && *house != SIMULATOR
        })
        .collect();
    for (house, dependencies) in houses.iter().filter(|(house, _)| !ABOVE_SERVICES.contains(&house.as_str())) {
        for service in &services {
            assert!(!dependencies.contains(*service), "{house} depends on the service {service}");
        }
    }
}

#[test]
fn the_simulator_imports_nothing_of_ours_and_no_service_imports_it() {
    let houses = houses();
    for house in houses.keys() {
        assert!(!houses[SIMULATOR].contains(house), "{SIMULATOR} depends on {house}");
    }
    for (house, dependencies) in houses.iter().filter(|(house, _)| !ABOVE_SERVICES.contains(&house.as_str())) {
        assert!(!dependencies.contains(SIMULATOR), "{house} depends on the simulator");
        assert!(!dependencies.contains("testing"), "{house} depends on what is for tests");
    }
}

#[test]
fn clients_are_built_in_common_alone() {
    for (path, text) in sources() {
        let house = path.components().next().expect("a folder").as_os_str().to_string_lossy().into_owned();
        if house == "common" || house == SIMULATOR {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for builder in [
            "reqwest::Client::new",
            "reqwest::Client::builder",
            "reqwest::ClientBuilder",
            "twilight_http::Client::new",
            "twilight_http::Client::builder",
        ] {
            assert!(!code.contains(builder), "{} builds its own client by {builder}; common has one", path.display());
        }
    }
}

#[test]
fn versions_stand_in_the_root_manifest_only() {
    for package in metadata().packages {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest");
        let mut section = String::new();
        for line in manifest.lines() {
            if line.starts_with('[') {
                line.clone_into(&mut section);
            } else if section.contains("dependencies") && line.contains('=') {
                assert!(line.contains("workspace = true"), "{}: `{line}` names its own version", package.name);
            }
        }
    }
}

#[test]
fn names_of_packages_are_names_of_folders() {
    for package in metadata().packages {
        let folder = package.manifest_path.parent().and_then(|folder| folder.file_name()).expect("a folder");
        assert_eq!(package.name.as_str(), folder);
    }
}

#[test]
fn no_file_is_a_warehouse() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 600, "{} has {lines} lines: split it by what a reader looks for", path.display());
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(
            !matches!(name.as_str(), "utils.rs" | "util.rs" | "helpers.rs" | "misc.rs"),
            "{}: name it after what it holds",
            path.display()
        );
    }
}

/// Every Rust file of the workspace that is not a test's, by its path from the root.
fn sources() -> Vec<(PathBuf, String)> {
    let root = root();
    let mut files = Vec::new();
    for package in metadata().packages {
        let folder = package.manifest_path.parent().expect("a folder").as_std_path().join("src");
        walk(&folder, &mut files);
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source file");
        (path.strip_prefix(&root).expect("a path in the workspace").to_path_buf(), text)
    };
    files.into_iter().map(read).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
