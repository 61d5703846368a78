//! CPU of servers that are not ours.

use std::{collections::HashSet, fs, time::Duration};

use crate::program::Times;

/// A server on this machine, and the processes that it starts.
#[derive(Clone, Copy)]
pub(super) struct Server(Option<u32>);

impl Server {
    /// The one that listens at this address. Where it is on another machine, or another user's, its CPU is not known.
    pub(super) fn at(address: &str) -> Self {
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        Self(port.and_then(listener))
    }

    /// CPU time so far.
    pub(super) fn cpu(self) -> Option<Duration> {
        let process = self.0?;
        let Times { own, ended, .. } = Times::of(process).ok()?;
        let children = processes().filter_map(|child| Times::of(child).ok()).filter(|times| times.parent == process);
        Some(own + ended + children.map(|times| times.own).sum::<Duration>())
    }
}

/// Since then.
pub(super) fn since(now: Option<Duration>, before: Option<Duration>) -> Option<f64> {
    Some(now?.saturating_sub(before?).as_secs_f64())
}

/// The process that listens on a port, by proc(5).
fn listener(port: u16) -> Option<u32> {
    const LISTENS: &str = "0A";
    let tables = ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default());
    let end = format!(":{port:04X}");
    let socket = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&end) && *fields.get(3)? == LISTENS;
        listens.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]"))).flatten()
    };
    let sockets: HashSet<String> = tables.iter().flat_map(|table| table.lines().filter_map(socket)).collect();
    processes().find(|process| {
        let Ok(files) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
        let links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        links.into_iter().any(|link| sockets.contains(&*link.to_string_lossy()))
    })
}

/// All processes, the eldest first where numbers were not used twice.
fn processes() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut numbers: Vec<u32> = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(Server::at(&address).0, Some(std::process::id()));
        assert!(Server::at(&address).cpu().is_some());
        drop(listener);
        assert_eq!(Server::at(&address).0, None);
    }
}
