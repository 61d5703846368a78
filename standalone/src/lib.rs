#![doc = include_str!("../README.md")]

pub mod cli;
pub mod config;
pub mod gate;
pub mod run;

pub mod dead_letters;
pub mod demo;
pub mod settings;
pub mod whitelabel;

pub use config::Config;
pub use run::run;
