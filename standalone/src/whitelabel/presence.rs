//! The options that make a presence.

use clap::Args;
use model::{Activity, ActivityKind, Presence, PresenceStatus};

/// Discord's limit of an activity's text.
const LONGEST: usize = 128;

/// What a bot's profile shows.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub struct Shown {
    /// The dot: online, idle, dnd or invisible. Online unless said.
    #[arg(long, value_name = "STATUS", conflicts_with = "clear")]
    status: Option<PresenceStatus>,
    /// The line beneath the name: "Playing TEXT".
    #[arg(long, value_name = "TEXT", value_parser = text, group = "activity", conflicts_with = "clear")]
    playing: Option<String>,
    /// "Listening to TEXT".
    #[arg(long, value_name = "TEXT", value_parser = text, group = "activity", conflicts_with = "clear")]
    listening: Option<String>,
    /// "Watching TEXT".
    #[arg(long, value_name = "TEXT", value_parser = text, group = "activity", conflicts_with = "clear")]
    watching: Option<String>,
    /// "Competing in TEXT".
    #[arg(long, value_name = "TEXT", value_parser = text, group = "activity", conflicts_with = "clear")]
    competing: Option<String>,
    /// The text alone.
    #[arg(long, value_name = "TEXT", value_parser = text, group = "activity", conflicts_with = "clear")]
    custom: Option<String>,
    /// Nothing but a green dot, as of any bot.
    #[arg(long)]
    clear: bool,
}

impl Shown {
    /// The presence; `None` where it is to be cleared.
    pub(super) fn presence(self) -> Option<Presence> {
        if self.clear {
            return None;
        }
        let activity = [
            (ActivityKind::Playing, self.playing),
            (ActivityKind::Listening, self.listening),
            (ActivityKind::Watching, self.watching),
            (ActivityKind::Competing, self.competing),
            (ActivityKind::Custom, self.custom),
        ];
        let activity = activity.into_iter().find_map(|(kind, text)| Some(Activity { kind, text: text? }));
        Some(Presence { status: self.status.unwrap_or(PresenceStatus::Online), activity })
    }
}

fn text(text: &str) -> Result<String, String> {
    let text = text.trim();
    let length = text.chars().count();
    if (1..=LONGEST).contains(&length) && !text.contains('\0') {
        Ok(text.to_owned())
    } else {
        Err(format!("it must have 1 to {LONGEST} characters, and has {length}"))
    }
}
