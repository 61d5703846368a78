use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;

/// The id of a key, chosen by the operator.
pub(super) type KeyId = u32;

/// The bytes of a key.
pub(super) type KeyBytes = Zeroizing<[u8; 32]>;

/// A list of keys that cannot be read; entries are counted from 1, and nothing of them is repeated.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MalformedKeys {
    /// There is none.
    #[error("holds no key: it must be like 1:… with 32 bytes in base64, which `openssl rand -base64 32` makes")]
    None,
    /// An entry has no id.
    #[error("has an entry without an id, its number {0}: it must be like 1:… with 32 bytes in base64")]
    NoId(usize),
    /// An entry's key is no base64.
    #[error("has a key that is no base64, the one with the id {0}")]
    NoBase64(u32),
    /// A key is too short or too long.
    #[error(
        "has a key of {found} bytes, the one with the id {id}: it must be 32 bytes, which `openssl rand -base64 32` makes"
    )]
    Length {
        /// The key's id.
        id: u32,
        /// Its length.
        found: usize,
    },
    /// Two keys have one id.
    #[error("has two keys with the id {0}")]
    Twice(u32),
}

/// Reads `id:base64` entries separated by commas.
pub(super) fn parse(text: &str) -> Result<Vec<(KeyId, KeyBytes)>, MalformedKeys> {
    let mut keys: Vec<(KeyId, KeyBytes)> = Vec::new();
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    for (at, entry) in entries.enumerate() {
        let no_id = || MalformedKeys::NoId(at + 1);
        let (id, key) = entry.split_once(':').ok_or_else(no_id)?;
        let id = id.trim().parse().map_err(|_| no_id())?;
        let bytes = STANDARD.decode(key.trim()).map(Zeroizing::new).map_err(|_| MalformedKeys::NoBase64(id))?;
        let length = |_| MalformedKeys::Length { id, found: bytes.len() };
        let key = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).map_err(length)?);
        if keys.iter().any(|(known, _)| *known == id) {
            return Err(MalformedKeys::Twice(id));
        }
        keys.push((id, key));
    }
    if keys.is_empty() { Err(MalformedKeys::None) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[track_caller]
    fn check(text: &str, expected: Result<&[u32], MalformedKeys>) {
        let ids = parse(text).map(|keys| keys.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        assert_eq!(ids, expected.map(<[u32]>::to_vec), "{text:?}");
    }

    #[test]
    fn keys_have_ids_and_are_separated_by_commas() {
        check(&format!("1:{KEY}"), Ok(&[1]));
        check(&format!(" 2:{KEY} , 1: {KEY},"), Ok(&[2, 1]));
        check("", Err(MalformedKeys::None));
        check(" , ", Err(MalformedKeys::None));
    }

    #[test]
    fn what_is_wrong_is_said_by_number_or_id() {
        check(KEY, Err(MalformedKeys::NoId(1)));
        check(&format!("1:{KEY},first:{KEY}"), Err(MalformedKeys::NoId(2)));
        check("7:not base64", Err(MalformedKeys::NoBase64(7)));
        check("7:c2hvcnQ=", Err(MalformedKeys::Length { id: 7, found: 5 }));
        check(&format!("1:{KEY},1:{KEY}"), Err(MalformedKeys::Twice(1)));
    }
}
