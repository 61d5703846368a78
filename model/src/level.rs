//! What a person may do.

use serde::{Deserialize, Serialize};

/// What a person may do in a guild; a higher level includes the lower ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Open tickets and work on the own ones.
    Everyone,
    /// Work on the tickets of others.
    Support,
    /// Change settings and panels.
    Admin,
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn a_higher_level_includes_the_lower_ones() {
        assert!(Level::Everyone < Level::Support);
        assert!(Level::Support < Level::Admin);
    }
}
