//! What a test does to connections and sessions at one moment.

use twilight_model::id::{Id, marker::ApplicationMarker};

use super::{End, Ending, Sessions, Target, line::Outgoing};

impl Sessions {
    /// Ends connections; the sessions stay and can be resumed.
    pub fn disconnect(&mut self, on: &Target, ending: Ending) {
        for session in self.by_id.values_mut().filter(|session| on.hits(session)) {
            if let Some(line) = &session.line {
                line.end(ending);
            }
        }
    }

    /// Ends sessions as timed out: close code 4009, and a RESUME of them is refused.
    pub fn time_out(&mut self, on: &Target) {
        self.disconnect(on, Ending::Close(4009));
        self.end_all(on, End::TimedOut);
    }

    /// Asks to reconnect and resume (op 7).
    pub fn ask_to_reconnect(&mut self, on: &Target) {
        self.send_plain(on, r#"{"t":null,"s":null,"op":7,"d":null}"#);
    }

    /// Sends op 9. With `resumable: false` the sessions are forgotten, as Discord does.
    pub fn invalidate(&mut self, on: &Target, resumable: bool) {
        self.send_plain(on, &format!(r#"{{"t":null,"s":null,"op":9,"d":{resumable}}}"#));
        if !resumable {
            self.end_all(on, End::Invalidated);
        }
    }

    /// Asks for a heartbeat at once (op 1).
    pub fn request_heartbeat(&mut self, on: &Target) {
        self.send_plain(on, r#"{"t":null,"s":null,"op":1,"d":null}"#);
    }

    /// Makes zombies: the connections stay open and send nothing any more. New ones are as ever.
    pub fn silence(&mut self, on: &Target) {
        self.tell(on, &Outgoing::FallSilent);
    }

    /// Sends a payload as it is: unknown opcodes, a dispatch without `t` or `s`, no JSON at all. It is not numbered and not in the ledger.
    pub fn send_plain(&mut self, on: &Target, payload: &str) {
        self.tell(on, &Outgoing::Plain(payload.into()));
    }

    /// Closes every connection of bots: with a close code, or without any word.
    pub fn disconnect_bots(&mut self, code: Option<u16>) {
        self.disconnect(&Target::all(), code.map_or(Ending::Drop, Ending::Close));
    }

    /// [`Sessions::time_out`] for all.
    pub fn time_out_bots(&mut self) {
        self.time_out(&Target::all());
    }

    /// [`Sessions::ask_to_reconnect`] for all.
    pub fn ask_bots_to_reconnect(&mut self) {
        self.ask_to_reconnect(&Target::all());
    }

    /// [`Sessions::invalidate`] for all.
    pub fn invalidate_bots(&mut self, resumable: bool) {
        self.invalidate(&Target::all(), resumable);
    }

    /// A token is no longer good: connections are closed with 4004, the sessions are over.
    pub(crate) fn revoke(&mut self, bot: Id<ApplicationMarker>) {
        let on = Target::bot(bot);
        self.disconnect(&on, Ending::Close(4004));
        self.end_all(&on, End::TokenReset);
    }

    pub(super) fn end_all(&mut self, on: &Target, why: End) {
        let ended: Vec<_> =
            self.by_id.values().filter(|session| on.hits(session)).map(|session| session.id.clone()).collect();
        for id in ended {
            self.end(&id, why);
        }
    }

    fn tell(&mut self, on: &Target, what: &Outgoing) {
        for session in self.by_id.values_mut().filter(|session| on.hits(session)) {
            session.send(what.clone());
        }
    }
}
