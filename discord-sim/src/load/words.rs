//! Names and texts.

use rand::{RngExt as _, rngs::StdRng};

#[rustfmt::skip]
const WORDS: [&str; 48] = [
    "the", "and", "you", "that", "ticket", "with", "server", "have", "this", "from", "they", "what", "when", "please", "support",
    "anyone", "know", "about", "channel", "update", "after", "game", "cannot", "open", "role", "thanks", "yesterday", "somebody",
    "screen", "why", "answer", "team", "lost", "account", "again", "still", "waiting", "ok", "lol", "maybe", "tomorrow", "version",
    "works", "for", "me", "now", "error", "moderator",
];

/// Names of channels that many guilds have.
#[rustfmt::skip]
pub(super) const CHANNEL_NAMES: [&str; 40] = [
    "general", "rules", "announcements", "welcome", "support", "open-a-ticket", "ticket-log", "transcripts", "bot-commands", "memes",
    "off-topic", "introductions", "self-promotion", "media", "music", "staff-chat", "mod-log", "staff-announcements", "roles",
    "giveaways", "polls", "suggestions", "bug-reports", "feedback", "looking-for-group", "events", "faq", "partners", "updates",
    "changelog", "applications", "appeals", "art", "photos", "games", "counting", "levels", "starboard", "english-chat",
    "frequently-asked-questions",
];

/// Topics that many guilds have.
pub(super) const TOPICS: [&str; 8] = [
    "Talk about anything that has no channel of its own.",
    "Please read before you write.",
    "News of the server",
    "Use the button to open a ticket; the team answers within a day.",
    "Commands of bots only",
    "For the team.",
    "Be kind, and stay on topic",
    "Your ideas for the server",
];

/// Names of roles that many guilds have.
#[rustfmt::skip]
pub(super) const ROLE_NAMES: [&str; 40] = [
    "Owner", "Admin", "Moderator", "Support Team", "Helper", "Member", "Verified", "Muted", "Bots", "Server Booster", "VIP", "Partner",
    "Developer", "Announcement pings", "Event pings", "Giveaway pings", "he/him", "she/her", "they/them", "Europe", "North America",
    "Asia", "Red", "Blue", "Green", "Purple", "Level 5", "Level 10", "Level 25", "Level 50", "Trial Moderator", "Head Moderator",
    "Retired Staff", "Artist", "Streamer", "Content Creator", "Community Manager", "Ticket Support", "Customer", "Subscriber",
];

/// Names of emojis that many guilds have.
pub(super) const EMOJI_NAMES: [&str; 16] = [
    "yes",
    "no",
    "check",
    "cross",
    "loading",
    "blobwave",
    "catjam",
    "heart",
    "thonk",
    "party",
    "arrow",
    "ticket",
    "boost",
    "verified",
    "green_check_mark",
    "animated_loading_dots",
];

/// Beginnings of users' names.
#[rustfmt::skip]
pub(super) const USER_NAMES: [&str; 24] = [
    "alex", "sam", "robin", "chris", "max", "night", "shadow", "star", "fox", "wolf", "pixel", "luna", "kai", "mika", "noah", "emma",
    "ghost", "dragon", "sky", "river", "itzjustme", "the_real_one", "coffee", "moon",
];

/// Words of so many bytes in all, or a few more.
pub(super) fn words(random: &mut StdRng, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 12);
    while text.len() < bytes {
        text.push_str(WORDS[random.random_range(0..WORDS.len())]);
        text.push_str([" ", " ", " ", ", ", ". ", " \u{1f44b} "][random.random_range(0..6)]);
    }
    text
}
