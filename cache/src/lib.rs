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
    #[test]
    fn the_readme_names_every_variable_and_default() {
        common::config::docs::assert_told::<crate::Config>(include_str!("../README.md"));
    }
}
