//! The ids of our buttons and forms.

use std::fmt;

use crate::{PanelId, TicketNumber};

/// The longest custom id that Discord takes, in characters.
pub const MAX_LEN: usize = 100;

/// What a button or form of ours asks for, written into its `custom_id`.
///
/// The guild is never in it: a custom id can be copied into another guild, Discord's signed `guild_id` cannot. `t1` is
/// the version of this scheme; messages with older ids stay in channels for years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CustomId {
    /// `t1:open:{panel}`: open a ticket from this panel.
    Open(PanelId),
    /// `t1:close:{number}`: ask to confirm the closing.
    Close(TicketNumber),
    /// `t1:close-yes:{number}`: close.
    CloseYes(TicketNumber),
    /// `t1:close-no`: do not close.
    CloseNo,
    /// `t1:close-reason:{number}`: show the form that asks for the reason.
    CloseReason(TicketNumber),
    /// `t1:close-form:{number}`: that form, filled in.
    CloseForm(TicketNumber),
    /// `t1:claim:{number}`: claim.
    Claim(TicketNumber),
}

impl CustomId {
    /// Reads a custom id; `None` for what is not ours or not exactly as we write it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_LEN {
            return None;
        }
        let rest = text.strip_prefix("t1:")?;
        let (verb, subject) = match rest.split_once(':') {
            Some((verb, subject)) => (verb, Some(subject)),
            None => (rest, None),
        };
        let number = || subject.and_then(positive::<i32>).map(TicketNumber);
        Some(match (verb, subject) {
            ("open", Some(panel)) => CustomId::Open(PanelId(positive(panel)?)),
            ("close", _) => CustomId::Close(number()?),
            ("close-yes", _) => CustomId::CloseYes(number()?),
            ("close-no", None) => CustomId::CloseNo,
            ("close-reason", _) => CustomId::CloseReason(number()?),
            ("close-form", _) => CustomId::CloseForm(number()?),
            ("claim", _) => CustomId::Claim(number()?),
            _ => return None,
        })
    }
}

impl fmt::Display for CustomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CustomId::Open(panel) => write!(f, "t1:open:{panel}"),
            CustomId::Close(number) => write!(f, "t1:close:{number}"),
            CustomId::CloseYes(number) => write!(f, "t1:close-yes:{number}"),
            CustomId::CloseNo => f.write_str("t1:close-no"),
            CustomId::CloseReason(number) => write!(f, "t1:close-reason:{number}"),
            CustomId::CloseForm(number) => write!(f, "t1:close-form:{number}"),
            CustomId::Claim(number) => write!(f, "t1:claim:{number}"),
        }
    }
}

/// A number ≥ 1 in its one decimal form: no sign, no leading zero.
fn positive<T: std::str::FromStr>(text: &str) -> Option<T> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<CustomId>) {
        assert_eq!(CustomId::parse(text), expected, "{text}");
    }

    #[test]
    fn what_is_written_reads_back_and_fits_discords_limit() {
        let number = TicketNumber(i32::MAX);
        for id in [
            CustomId::Open(PanelId(i64::MAX)),
            CustomId::Close(number),
            CustomId::CloseYes(number),
            CustomId::CloseNo,
            CustomId::CloseReason(number),
            CustomId::CloseForm(number),
            CustomId::Claim(number),
        ] {
            let text = id.to_string();
            assert!(text.len() <= MAX_LEN);
            check(&text, Some(id));
        }
    }

    #[test]
    fn the_written_form_stays_readable() {
        check("t1:open:12", Some(CustomId::Open(PanelId(12))));
        check("t1:close:3", Some(CustomId::Close(TicketNumber(3))));
        check("t1:close-yes:3", Some(CustomId::CloseYes(TicketNumber(3))));
        check("t1:close-no", Some(CustomId::CloseNo));
        check("t1:close-reason:3", Some(CustomId::CloseReason(TicketNumber(3))));
        check("t1:close-form:3", Some(CustomId::CloseForm(TicketNumber(3))));
        check("t1:claim:3", Some(CustomId::Claim(TicketNumber(3))));
    }

    #[test]
    fn foreign_text_is_none() {
        for text in [
            "",
            "t1",
            "t1:",
            "t2:claim:3",
            "t1:claim",
            "t1:claim:",
            "t1:claim:0",
            "t1:claim:-3",
            "t1:claim:+3",
            "t1:claim:03",
            "t1:claim: 3",
            "t1:claim:3:4",
            "t1:claim:2147483648",
            "t1:open:9223372036854775808",
            "t1:open:x",
            "t1:close-no:3",
            "t1:delete:3",
            "claim:3",
            "t1:claim:٣",
        ] {
            check(text, None);
        }
        check(&format!("t1:claim:{}", "1".repeat(200)), None);
    }
}
