//! The name of a dead letter.

use std::{fmt, str::FromStr};

/// Where a dead letter lies; written `<topic>/<partition>/<offset>`, the topic being that of the dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LetterId {
    /// The topic of dead letters.
    pub topic: String,
    /// The partition there.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// A text that is no [`LetterId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not like `<topic>/<partition>/<offset>`")]
pub struct InvalidId;

impl FromStr for LetterId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<LetterId, InvalidId> {
        // A topic's name has no slash.
        let mut parts = text.split('/');
        let (Some(topic), Some(partition), Some(offset), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidId);
        };
        let id = LetterId {
            topic: topic.to_owned(),
            partition: partition.parse().map_err(|_| InvalidId)?,
            offset: offset.parse().map_err(|_| InvalidId)?,
        };
        if id.topic.is_empty() || id.partition < 0 || id.offset < 0 { Err(InvalidId) } else { Ok(id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_nothing_else_is_one() {
        let id = LetterId { topic: "tickets-events-dead".to_owned(), partition: 0, offset: 4_711 };
        assert_eq!(id.to_string(), "tickets-events-dead/0/4711");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "4711", "t/0", "t/0/1/2", "/0/1", "t/-1/1", "t/0/-1", "t/x/1", "t/0/9223372036854775808"] {
            assert_eq!(wrong.parse::<LetterId>(), Err(InvalidId), "{wrong}");
        }
    }
}
