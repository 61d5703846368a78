//! How fields are written: as Discord writes them where people read (JSON), as numbers and bytes elsewhere.
//!
//! Structs are written by `rmp-serde` as arrays, so the order of fields is the format: new fields come last and have a
//! default, and no field is ever skipped.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned, Error as _, Visitor},
};
use twilight_model::{
    guild::Permissions,
    id::Id,
    util::{ImageHash, Timestamp},
};

/// What was written by [`encode`] does not read, or cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the compact form of the cache: {0}")]
pub struct Malformed(String);

/// Number of the rules by which [`encode`] writes; another number in front is read by nobody of this version.
const FORMAT: u8 = 1;
/// What most of what is written fits into.
const ROOM: usize = 256;

/// The compact form: MessagePack, structs as arrays, the format's number in front.
///
/// # Errors
///
/// When a value has no such form, which no type of this crate has.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Malformed> {
    let mut bytes = Vec::with_capacity(ROOM);
    bytes.push(FORMAT);
    rmp_serde::encode::write(&mut bytes, value).map_err(|error| Malformed(error.to_string()))?;
    Ok(bytes)
}

/// Reads what [`encode`] wrote.
///
/// # Errors
///
/// When it is something else, or was written by another version that this one does not understand.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => rmp_serde::from_slice(rest).map_err(|error| Malformed(error.to_string())),
        Some((other, _)) => Err(Malformed(format!("format {other} is unknown; this reads {FORMAT}"))),
        None => Err(Malformed("there is nothing".to_owned())),
    }
}

/// A value that Discord may leave out or send as `null`, both of which mean its default.
pub(crate) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An id: decimal text for people, a number else.
pub(crate) struct AsId<M>(pub(crate) Id<M>);

impl<M> Serialize for AsId<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        number(self.0.get(), serializer)
    }
}

impl<'de, M> Deserialize<'de> for AsId<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = deserializer.deserialize_any(NumberOrText)?;
        Id::new_checked(number).map(AsId).ok_or_else(|| D::Error::custom("an id is never 0"))
    }
}

/// Ids.
pub(crate) mod id {
    use super::{AsId, Deserialize, Deserializer, Id, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<M, S: Serializer>(id: &Id<M>, serializer: S) -> Result<S::Ok, S::Error> {
        AsId(*id).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, M, D: Deserializer<'de>>(deserializer: D) -> Result<Id<M>, D::Error> {
        AsId::deserialize(deserializer).map(|AsId(id)| id)
    }
}

/// Ids that may be missing.
pub(crate) mod id_opt {
    use super::{AsId, Deserialize, Deserializer, Id, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(crate) fn serialize<M, S: Serializer>(id: &Option<Id<M>>, serializer: S) -> Result<S::Ok, S::Error> {
        id.map(AsId).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, M, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Id<M>>, D::Error> {
        Ok(Option::<AsId<M>>::deserialize(deserializer)?.map(|AsId(id)| id))
    }
}

/// Lists of ids; `null` is an empty one.
pub(crate) mod ids {
    use super::{AsId, Deserialize, Deserializer, Id, Serializer};

    pub(crate) fn serialize<M, S: Serializer>(ids: &[Id<M>], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(ids.iter().map(|id| AsId(*id)))
    }

    pub(crate) fn deserialize<'de, M, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[Id<M>]>, D::Error> {
        let list = Option::<Vec<AsId<M>>>::deserialize(deserializer)?.unwrap_or_default();
        Ok(list.into_iter().map(|AsId(id)| id).collect())
    }
}

/// Permissions; bits that the model does not know are kept.
pub(crate) mod permissions {
    use super::{Deserializer, NumberOrText, Permissions, Serializer, number};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(permissions: &Permissions, serializer: S) -> Result<S::Ok, S::Error> {
        number(permissions.bits(), serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Permissions, D::Error> {
        Ok(Permissions::from_bits_retain(deserializer.deserialize_any(NumberOrText)?))
    }
}

/// Hashes of images: Discord's text for people, 17 bytes else. A hash that is not of Discord's usual form is left out.
pub(crate) mod image {
    use super::{Deserialize, Deserializer, ImageHash, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(hash: &Option<ImageHash>, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return hash.map(|hash| hash.to_string()).serialize(serializer);
        }
        hash.map(|hash| (hash.is_animated(), hash.bytes())).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ImageHash>, D::Error> {
        if deserializer.is_human_readable() {
            let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            return Ok(text.and_then(|text| ImageHash::parse(text.as_bytes()).ok()));
        }
        let parts = Option::<(bool, [u8; 16])>::deserialize(deserializer)?;
        Ok(parts.map(|(animated, bytes)| ImageHash::new(bytes, animated)))
    }
}

/// Instants that may be missing: RFC 3339 for people, microseconds since 1970 else. One that does not parse is left out.
pub(crate) mod at {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return at.map(|at| at.iso_8601().to_string()).serialize(serializer);
        }
        at.map(|at| at.as_micros()).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        if deserializer.is_human_readable() {
            let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            return Ok(text.and_then(|text| Timestamp::parse(&text).ok()));
        }
        Ok(Option::<i64>::deserialize(deserializer)?.and_then(|micros| Timestamp::from_micros(micros).ok()))
    }
}

/// A flag that Discord tells by the presence of a field whose value is `null`, and we as a flag.
pub(crate) mod presence {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(flag: &bool, serializer: S) -> Result<S::Ok, S::Error> {
        flag.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        if deserializer.is_human_readable() {
            return Ok(Option::deserialize(deserializer)?.unwrap_or(true));
        }
        bool::deserialize(deserializer)
    }
}

fn number<S: Serializer>(number: u64, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() { serializer.collect_str(&number) } else { serializer.serialize_u64(number) }
}

/// Reads a number that may come as text.
struct NumberOrText;

impl Visitor<'_> for NumberOrText {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or one as text")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u64, E> {
        u64::try_from(number).map_err(|_| E::custom("it is negative"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}
