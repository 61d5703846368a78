//! The limit of a bot over all of its routes.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use twilight_model::id::{Id, marker::ApplicationMarker};

/// What the limit is over (Discord: "Global Rate Limit").
const SECOND: Duration = Duration::from_secs(1);

/// What passed of each bot in the latest second.
#[derive(Debug, Default)]
pub(super) struct Global(HashMap<Id<ApplicationMarker>, VecDeque<Instant>>);

impl Global {
    /// Counts a request where fewer than `limit` came in the second before it, or says when the next place is free.
    pub(super) fn take(&mut self, bot: Id<ApplicationMarker>, limit: usize, now: Instant) -> Result<(), Instant> {
        let latest = self.0.entry(bot).or_default();
        while latest.front().is_some_and(|first| *first + SECOND <= now) {
            latest.pop_front();
        }
        if latest.len() >= limit {
            return Err(latest.front().map_or(now, |first| *first) + SECOND);
        }
        latest.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_second_has_so_many_wherever_it_begins() {
        let (mut global, start, ms) = (Global::default(), Instant::now(), Duration::from_millis(1));
        let (one, other) = (Id::new(1), Id::new(2));
        assert_eq!(global.take(one, 2, start), Ok(()));
        assert_eq!(global.take(one, 2, start + 900 * ms), Ok(()));
        assert_eq!(global.take(one, 2, start + 999 * ms), Err(start + SECOND));
        assert_eq!(global.take(other, 2, start + 999 * ms), Ok(()));
        assert_eq!(global.take(one, 2, start + 1000 * ms), Ok(()));
        assert_eq!(global.take(one, 2, start + 1001 * ms), Err(start + 1900 * ms));
    }
}
