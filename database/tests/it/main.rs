//! The crate against a real Postgres: each test has a database of its own.

#[cfg(test)]
mod claiming;
#[cfg(test)]
mod closing;
#[cfg(test)]
mod connection;
#[cfg(test)]
mod inbox;
mod leases;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod panels;
#[cfg(test)]
mod scope;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod support;
