use std::time::Duration;

/// How often a follower looks where its topic ends, and how much it reads ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowBounds {
    /// The pause between two looks.
    pub look_every: Duration,
    /// How long a look waits for the brokers.
    pub answer: Duration,
    /// Records that wait to be handed out. Beyond it nothing is fetched.
    pub records: usize,
    /// The same in bytes of their values; the last one may exceed it.
    pub bytes: usize,
}

impl Default for FollowBounds {
    fn default() -> FollowBounds {
        FollowBounds {
            look_every: Duration::from_secs(1),
            answer: Duration::from_secs(2),
            records: 4_096,
            bytes: 8 * 1024 * 1024,
        }
    }
}
