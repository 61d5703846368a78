//! `standalone config`: the variables as the code reads them, for people to copy.
#![expect(clippy::print_stdout, reason = "printing is what the command is for")]

use common::config::docs::{self, Described};

use crate::{Config, cli::Format};

/// The variables of each service, by its name.
#[must_use]
pub fn all() -> Vec<(&'static str, Vec<Described>)> {
    vec![
        ("standalone", docs::describe::<Config>()),
        ("sharder", docs::describe::<sharder::Config>()),
        ("whitelabel-sharder", docs::describe::<sharder::whitelabel::Config>()),
        ("http-gateway", docs::describe::<http_gateway::Config>()),
        ("global-resolver", docs::describe::<global_resolver::Config>()),
        ("worker", docs::describe::<worker::Config>()),
        ("cache", docs::describe::<cache::Config>()),
        ("cache-sync-service", docs::describe::<cache_sync_service::Config>()),
        ("server-counter", docs::describe::<server_counter::Config>()),
        ("stats-channel-updater", docs::describe::<stats_channel_updater::Config>()),
        ("every process", docs::describe::<common::telemetry::Telemetry>()),
    ]
}

/// Prints them.
pub fn print(format: Format) {
    for (service, variables) in all() {
        match format {
            Format::Table => println!("### {service}\n\n{}", docs::table(&variables)),
            Format::Env => println!("# --- {service}\n{}", docs::dotenv(&variables)),
        }
    }
}
