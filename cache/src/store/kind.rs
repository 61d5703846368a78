/// What a row of a guild's lists is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Channel = 1,
    Thread = 2,
    Role = 3,
    Emoji = 4,
    Member = 5,
}

impl Kind {
    pub(super) const ALL: [Kind; 5] = [Kind::Channel, Kind::Thread, Kind::Role, Kind::Emoji, Kind::Member];

    /// As in the database.
    pub(super) fn number(self) -> i16 {
        self as i16
    }

    pub(super) fn of(number: i16) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.number() == number)
    }
}
