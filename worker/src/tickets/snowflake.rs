//! Discord's ids tell when they were made.

use time::OffsetDateTime;
use twilight_model::id::Id;

/// Ids count milliseconds from the beginning of 2015.
const EPOCH_MS: i128 = 1_420_070_400_000;

/// Below the milliseconds an id has 22 bits that number what was made in them.
const BITS: u32 = 22;

/// The smallest id of that time.
#[must_use]
pub fn first_id<T>(at: OffsetDateTime) -> Id<T> {
    let ms = at.unix_timestamp_nanos() / 1_000_000 - EPOCH_MS;
    u64::try_from(ms).ok().and_then(|ms| Id::new_checked(ms << BITS)).unwrap_or(Id::new(1))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use twilight_model::id::marker::MessageMarker;

    use super::*;

    #[test]
    fn ids_begin_where_discord_says() {
        // From Discord's documentation of snowflakes: 175928847299117063 was made at 1462015105796.
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_462_015_105_796_000_000).unwrap();
        assert_eq!(first_id::<MessageMarker>(at).get(), 175_928_847_299_117_063 >> BITS << BITS);
        assert_eq!(first_id::<MessageMarker>(datetime!(2014-01-01 00:00 UTC)).get(), 1);
    }
}
