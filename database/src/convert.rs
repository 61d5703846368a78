//! Between Rust's types and columns.

use std::{borrow::Cow, fmt::Display};

use twilight_model::id::Id;

use crate::Error;

/// A Discord id as `bigint`, bit for bit.
pub(crate) fn column<T>(id: Id<T>) -> i64 {
    id.get().cast_signed()
}

/// An optional Discord id as `bigint`.
pub(crate) fn column_opt<T>(id: Option<Id<T>>) -> Option<i64> {
    id.map(column)
}

/// A `bigint` as a Discord id.
pub(crate) fn id<T>(value: i64, column: &'static str, subject: impl Display) -> Result<Id<T>, Error> {
    Id::new_checked(value.cast_unsigned()).ok_or_else(|| Error::Corrupt {
        subject: subject.to_string(),
        column,
        found: value.to_string(),
    })
}

/// An optional `bigint` as a Discord id.
pub(crate) fn id_opt<T>(
    value: Option<i64>,
    column: &'static str,
    subject: impl Display,
) -> Result<Option<Id<T>>, Error> {
    value.map(|value| id(value, column, subject)).transpose()
}

/// Reads a stored name back.
pub(crate) fn name<T: std::str::FromStr>(value: &str, column: &'static str, subject: impl Display) -> Result<T, Error> {
    value.parse().map_err(|_| Error::Corrupt { subject: subject.to_string(), column, found: format!("{value:?}") })
}

/// Text that Postgres takes: `text` holds every character but NUL.
pub(crate) fn text(value: &str) -> Cow<'_, str> {
    if value.contains('\0') { Cow::Owned(value.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(value) }
}

#[cfg(test)]
mod tests {
    use twilight_model::id::marker::UserMarker;

    use super::*;

    #[test]
    fn ids_survive_the_way_through_a_column() {
        for raw in [1, 175_928_847_299_117_063, u64::MAX] {
            let user = Id::<UserMarker>::new(raw);
            assert_eq!(id(column(user), "opener_id", "row").unwrap(), user);
        }
    }

    #[test]
    fn a_zero_is_no_id() {
        let read = id::<UserMarker>(0, "opener_id", "ticket 1/2");
        assert_eq!(read.unwrap_err().to_string(), "ticket 1/2 holds 0 as opener_id");
    }

    #[test]
    fn nul_becomes_a_replacement_character() {
        assert_eq!(text("a\0b"), "a\u{fffd}b");
        assert_eq!(text("ab"), "ab");
    }
}
