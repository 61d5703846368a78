//! What the channel is called, and whether that shows a text.

use twilight_model::channel::{Channel, ChannelType};

/// A channel's name, as Discord told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The text that it was made from, where we asked for it.
    asked: Option<String>,
    became: String,
    /// Whether Discord makes names of such channels anew.
    rewritten: bool,
}

impl Name {
    /// The name that a channel was found with.
    #[must_use]
    pub fn found(channel: Channel) -> Self {
        let kinds =
            [ChannelType::GuildText, ChannelType::GuildAnnouncement, ChannelType::GuildForum, ChannelType::GuildMedia];
        let rewritten = kinds.contains(&channel.kind);
        Self { asked: None, became: channel.name.unwrap_or_default(), rewritten }
    }

    /// The name that a channel got when it was asked to be called so.
    #[must_use]
    pub fn given(asked: String, channel: Channel) -> Self {
        Self { asked: Some(asked), ..Self::found(channel) }
    }

    /// What people read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.became
    }

    /// Whether asking for this text would change nothing.
    ///
    /// Of a name that we asked for this is known. Of one that was found it is a guess where Discord rewrites names: one
    /// that is wrong lasts until the next count.
    #[must_use]
    pub fn shows(&self, text: &str) -> bool {
        match &self.asked {
            Some(asked) => asked == text || self.became == text,
            None => self.became == text || (self.rewritten && rewrite(&self.became) == rewrite(text)),
        }
    }
}

/// A name as Discord makes it for text channels: small letters, no punctuation, a hyphen for spaces (seen, not documented).
fn rewrite(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for character in text.trim().to_lowercase().chars() {
        match character {
            '_' => name.push('_'),
            hyphen if hyphen == '-' || hyphen.is_whitespace() => {
                if !name.ends_with('-') {
                    name.push('-');
                }
            }
            punctuation if punctuation.is_ascii_punctuation() => {}
            other => name.push(other),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn name(asked: Option<&str>, became: &str, rewritten: bool) -> Name {
        Name { asked: asked.map(str::to_owned), became: became.to_owned(), rewritten }
    }

    #[test]
    fn a_name_that_was_asked_for_shows_what_was_asked() {
        let name = name(Some("Servers: 1,234"), "servers-1234", true);
        assert!(name.shows("Servers: 1,234"));
        assert!(name.shows("servers-1234"));
        assert!(!name.shows("Servers: 1,235"));
        assert!(!name.shows("Servers: 1234"), "Discord may make another name of it");
    }

    #[test]
    fn what_was_asked_for_is_remembered_whatever_became_of_it() {
        let channel =
            |kind: u8| serde_json::from_value::<Channel>(json!({"id": "7", "type": kind, "name": "other"})).unwrap();
        for kind in [0, 2] {
            let given = Name::given("Servers: 7".to_owned(), channel(kind));
            assert!(given.shows("Servers: 7") && given.shows("other") && !given.shows("Servers: 8"));
            assert!(!Name::found(channel(kind)).shows("Servers: 7"));
        }
    }

    #[test]
    fn a_name_that_was_found_shows_what_discord_would_make_it() {
        assert!(name(None, "servers-1234", true).shows("Servers: 1,234"));
        assert!(name(None, "\u{fc}ber_uns-7", true).shows("\u{dc}ber_uns - 7!"));
        assert!(!name(None, "servers-1234", true).shows("Servers: 1,235"));
    }

    #[test]
    fn a_voice_channels_name_is_its_text() {
        assert!(name(None, "Servers: 1234", false).shows("Servers: 1234"));
        assert!(!name(None, "servers-1234", false).shows("Servers: 1234"));
    }
}
