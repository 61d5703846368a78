#![doc = include_str!("../README.md")]

mod allocator;

pub mod config;
pub mod service;
pub mod telemetry;

pub mod backoff;
pub mod clock;
pub mod crypto;
pub mod discord;
pub mod http;
pub mod redis;
pub mod tls;
