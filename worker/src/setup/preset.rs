//! Ready-made panels.

use crate::text::{Text, text};

/// A ready-made panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// General support.
    Support,
    /// Reports about members.
    Report,
    /// Applications.
    Application,
    /// Bug reports.
    Bug,
}

impl Preset {
    /// All of them.
    pub const ALL: [Preset; 4] = [Preset::Support, Preset::Report, Preset::Application, Preset::Bug];

    /// The word in the command.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Support => "support",
            Preset::Report => "report",
            Preset::Application => "application",
            Preset::Bug => "bug",
        }
    }

    /// Reads the word in the command.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Preset::ALL.into_iter().find(|preset| preset.as_str() == word)
    }

    /// Its name for people.
    #[must_use]
    pub fn label(self) -> Text {
        match self {
            Preset::Support => text("preset-support"),
            Preset::Report => text("preset-report"),
            Preset::Application => text("preset-application"),
            Preset::Bug => text("preset-bug"),
        }
    }

    /// The panel's heading.
    #[must_use]
    pub fn title(self) -> Text {
        match self {
            Preset::Support => text("preset-support-title"),
            Preset::Report => text("preset-report-title"),
            Preset::Application => text("preset-application-title"),
            Preset::Bug => text("preset-bug-title"),
        }
    }

    /// The panel's text.
    #[must_use]
    pub fn body(self) -> Text {
        match self {
            Preset::Support => text("preset-support-body"),
            Preset::Report => text("preset-report-body"),
            Preset::Application => text("preset-application-body"),
            Preset::Bug => text("preset-bug-body"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for preset in Preset::ALL {
            assert_eq!(Preset::parse(preset.as_str()), Some(preset));
        }
        assert_eq!(Preset::parse("Support"), None);
    }
}
