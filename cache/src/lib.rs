#![doc = include_str!("../README.md")]

pub mod entity;
mod wire;

pub mod change;
pub mod fold;
pub mod store;

pub mod permissions;

pub mod hot;
pub mod http;
pub mod news;

pub mod client;

mod config;
mod metrics;
mod run;

pub use self::{
    config::{ClientConfig, Config, Members},
    run::run,
    wire::{Malformed, decode, encode},
};

#[cfg(test)]
mod tests {
    use common::config::docs;

    #[test]
    fn the_readme_names_every_variable_and_default() {
        let table = docs::table(&docs::describe::<crate::Config>());
        assert_eq!(docs::rows(include_str!("../README.md")), docs::rows(&table), "{table}");
    }
}
