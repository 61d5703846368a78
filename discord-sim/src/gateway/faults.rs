//! Faults that a test can inject into the gateway.

use std::time::Duration;

use super::sessions::{Outgoing, Sessions};

/// What goes wrong until it is set back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// HELLO comes this late; `Some(Duration::MAX)` never.
    pub hello_delay: Option<Duration>,
    /// Heartbeats are not acknowledged.
    pub withhold_acks: bool,
    /// This many RESUMEs are answered by op 9 `d: false`.
    pub refuse_resumes: u32,
    /// Sockets stay open and nothing more goes out on them: zombies.
    pub silent: bool,
    /// Every replayed event of a RESUME comes twice.
    pub replay_twice: bool,
}

impl Sessions {
    /// Closes every connection of bots: with a close code, or without any word.
    pub fn disconnect_bots(&mut self, code: Option<u16>) {
        self.tell_bots(&Outgoing::Close(code));
    }

    /// Ends every session of bots as timed out: close code 4009, and a RESUME of it is refused.
    pub fn time_out_bots(&mut self) {
        self.disconnect_bots(Some(4009));
        self.by_id.retain(|_, session| !session.is_bot());
    }

    /// Asks every bot to reconnect and resume (op 7).
    pub fn ask_bots_to_reconnect(&mut self) {
        self.tell_bots(&Outgoing::Frame(r#"{"t":null,"s":null,"op":7,"d":null}"#.into()));
    }

    /// Sends op 9 to every bot. With `resumable: false` the sessions are forgotten, as Discord does.
    pub fn invalidate_bots(&mut self, resumable: bool) {
        self.tell_bots(&Outgoing::Frame(format!(r#"{{"t":null,"s":null,"op":9,"d":{resumable}}}"#).into()));
        if !resumable {
            self.by_id.retain(|_, session| !session.is_bot());
        }
    }

    fn tell_bots(&mut self, what: &Outgoing) {
        for session in self.by_id.values_mut().filter(|session| session.is_bot()) {
            session.send(what.clone());
        }
    }
}
