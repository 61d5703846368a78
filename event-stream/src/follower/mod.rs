//! Follows a topic: every partition of it, outside of any group, from now on, and knows when that is everything.

mod bounds;
mod follow;
mod metrics;
mod standing;

mod fetch;
mod look;
mod loss;
mod shared;

pub use bounds::FollowBounds;
pub use follow::{Followed, Follower};
pub use metrics::FollowerMetrics;
pub use standing::Standing;
