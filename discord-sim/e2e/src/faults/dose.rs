use std::str::FromStr;

/// How much of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dose {
    /// For every run of the tests: seconds.
    Small,
    /// For `scripts/faults`: minutes.
    Full,
}

impl Dose {
    /// The one or the other.
    pub(super) fn choose<T>(self, small: T, full: T) -> T {
        match self {
            Self::Small => small,
            Self::Full => full,
        }
    }

    /// Its name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.choose("small", "full")
    }
}

impl FromStr for Dose {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let doses = [Self::Small, Self::Full];
        doses.into_iter().find(|dose| dose.as_str() == name).ok_or_else(|| "a dose is small or full".to_owned())
    }
}
