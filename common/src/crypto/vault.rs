use std::{fmt, sync::Arc};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use secrecy::{ExposeSecret, SecretString};

use super::keys::{self, KeyId, MalformedKeys};
use crate::config::{Env, FromEnv, Invalid};

const KEY_ID: usize = size_of::<KeyId>();
const NONCE: usize = 24;
const TAG: usize = 16;

/// Seals secrets for the database and opens them again: XChaCha20-Poly1305 with a random nonce.
///
/// A sealed secret is the id of its key (4 bytes, big-endian), the nonce (24), and the ciphertext with its tag (16). It
/// is bound to the row that it stands in: moved to another row, it does not open. So whoever can write to the database
/// and has no key can lose a secret, and not have it used in another's place.
///
/// Clones share the keys.
#[derive(Clone)]
pub struct Vault {
    /// The first one seals, each opens what it sealed.
    keys: Arc<[(KeyId, XChaCha20Poly1305)]>,
}

/// A sealed secret cannot be opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CannotOpen {
    /// It is shorter than any secret would be.
    #[error("the sealed secret of {row} is cut off")]
    CutOff {
        /// The row that was to hold it.
        row: String,
    },
    /// Its key is not among ours.
    #[error("the secret of {row} is sealed with key {key}, which is not in ENCRYPTION_KEYS")]
    NoKey {
        /// The row that it stands in.
        row: String,
        /// The key's id.
        key: u32,
    },
    /// The key is another one than its id says, the secret was changed, or it is of another row.
    #[error("the secret of {row} does not open with key {key}: it was changed, belongs to another row, or the key did")]
    Forged {
        /// The row that it stands in.
        row: String,
        /// The key's id.
        key: u32,
    },
    /// It holds no text.
    #[error("the secret of {row} is no text")]
    NoText {
        /// The row that it stands in.
        row: String,
    },
}

impl Vault {
    /// A vault with the keys of that text: `id:key` separated by commas, a key being 32 bytes in base64. The first one
    /// seals; all of them open.
    ///
    /// # Errors
    ///
    /// [`MalformedKeys`] says which entry is wrong and how, and repeats nothing of it.
    pub fn new(keys: &SecretString) -> Result<Self, MalformedKeys> {
        let keys = keys::parse(keys.expose_secret())?;
        Ok(Self { keys: keys.iter().map(|(id, key)| (*id, XChaCha20Poly1305::new((&**key).into()))).collect() })
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn sealing_key(&self) -> u32 {
        self.keys.first().map_or(0, |(id, _)| *id)
    }

    /// The id of the key that something was sealed with; `None` where it is no sealed secret.
    #[must_use]
    pub fn key_of(sealed: &[u8]) -> Option<u32> {
        Some(u32::from_be_bytes(*sealed.first_chunk()?))
    }

    /// Seals a secret for its place: `row` names table, column and row, and is needed to open it.
    #[must_use]
    pub fn seal(&self, row: &str, secret: &SecretString) -> Vec<u8> {
        let nonce = rand::random::<[u8; NONCE]>();
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: row.as_bytes() };
        let sealed = self.keys.first().and_then(|(id, cipher)| {
            let ciphertext = cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
            Some([&id.to_be_bytes()[..], &nonce, &ciphertext].concat())
        });
        #[expect(clippy::expect_used, reason = "there is a first key, and the cipher takes all that is below 256 GiB")]
        sealed.expect("a sealed secret")
    }

    /// Opens what was sealed for `row`.
    ///
    /// # Errors
    ///
    /// [`CannotOpen`]; it names the row and the key's id, and repeats nothing of the secret.
    pub fn open(&self, row: &str, sealed: &[u8]) -> Result<SecretString, CannotOpen> {
        let named = || row.to_owned();
        if sealed.len() < KEY_ID + NONCE + TAG {
            return Err(CannotOpen::CutOff { row: named() });
        }
        let cut_off = || CannotOpen::CutOff { row: named() };
        let (id, sealed) = sealed.split_first_chunk::<KEY_ID>().ok_or_else(cut_off)?;
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE>().ok_or_else(cut_off)?;
        let key = u32::from_be_bytes(*id);
        let known = self.keys.iter().find(|(known, _)| *known == key);
        let (_, cipher) = known.ok_or_else(|| CannotOpen::NoKey { row: named(), key })?;
        let payload = Payload { msg: ciphertext, aad: row.as_bytes() };
        let opened = cipher.decrypt(&XNonce::from(*nonce), payload);
        let opened = opened.map_err(|_| CannotOpen::Forged { row: named(), key })?;
        String::from_utf8(opened).map(SecretString::from).map_err(|_| CannotOpen::NoText { row: named() })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.keys.iter().map(|(id, _)| id).collect();
        f.debug_struct("Vault").field("keys", &ids).finish_non_exhaustive()
    }
}

impl FromEnv for Vault {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let keys = env
            .var("ENCRYPTION_KEYS")
            .about("keys of the secrets in the database, `id:base64` with commas between: the first seals, all open")
            .example("1:… with the 32 bytes that `openssl rand -base64 32` makes")
            .secret()?;
        Self::new(&keys).map_err(|error| env.invalid("ENCRYPTION_KEYS", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const TWO: &str = "2:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn vault(keys: &str) -> Vault {
        Vault::new(&keys.into()).unwrap()
    }

    fn secret() -> SecretString {
        "MTIz.abc.hunter2".into()
    }

    #[test]
    fn what_is_sealed_opens_in_its_own_row() {
        let vault = vault(ONE);
        let sealed = vault.seal("bots.token:1", &secret());
        assert_eq!(vault.open("bots.token:1", &sealed).unwrap().expose_secret(), secret().expose_secret());
    }

    #[test]
    fn nothing_of_the_secret_is_seen_in_what_is_sealed_and_two_sealings_differ() {
        let vault = vault(ONE);
        let (one, other) = (vault.seal("row", &secret()), vault.seal("row", &secret()));
        assert_ne!(one, other, "the nonce is random");
        assert!(!String::from_utf8_lossy(&one).contains("hunter2"));
        assert_eq!(one.len(), KEY_ID + NONCE + TAG + secret().expose_secret().len());
    }

    #[test]
    fn a_secret_that_was_moved_to_another_row_does_not_open() {
        let vault = vault(ONE);
        let sealed = vault.seal("bots.token:1", &secret());
        let moved = vault.open("bots.token:2", &sealed).unwrap_err();
        assert_eq!(moved, CannotOpen::Forged { row: "bots.token:2".to_owned(), key: 1 });
    }

    #[test]
    fn no_bit_of_it_can_be_changed() {
        let vault = vault(ONE);
        let sealed = vault.seal("row", &secret());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(vault.open("row", &changed).is_err(), "byte {at}");
        }
        for length in 0..sealed.len() {
            assert!(vault.open("row", &sealed[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn the_first_key_seals_and_older_ones_still_open() {
        let old = vault(ONE).seal("row", &secret());
        let both = vault(&format!("{TWO},{ONE}"));
        let new = both.seal("row", &secret());
        assert_eq!((Vault::key_of(&old), Vault::key_of(&new), both.sealing_key()), (Some(1), Some(2), 2));
        assert!(both.open("row", &old).is_ok() && both.open("row", &new).is_ok());
        assert_eq!(vault(ONE).open("row", &new).unwrap_err(), CannotOpen::NoKey { row: "row".to_owned(), key: 2 });
    }

    #[test]
    fn another_key_under_the_same_id_does_not_open() {
        let sealed = vault(ONE).seal("row", &secret());
        let other = vault(&TWO.replace("2:", "1:"));
        assert_eq!(other.open("row", &sealed).unwrap_err(), CannotOpen::Forged { row: "row".to_owned(), key: 1 });
    }

    #[test]
    fn a_malformed_variable_is_named_and_not_shown() {
        let mut env = Env::from_pairs([("ENCRYPTION_KEYS", "1:c2hvcnQ=")]);
        let text = crate::config::read::<Vault>(&mut env).unwrap_err().to_string();
        assert!(text.contains("ENCRYPTION_KEYS") && text.contains("32 bytes") && !text.contains("c2hvcnQ"), "{text}");
        let text = crate::config::read::<Vault>(&mut Env::from_pairs([])).unwrap_err().to_string();
        assert!(text.contains("ENCRYPTION_KEYS") && text.contains("openssl rand -base64 32"), "{text}");
    }

    #[test]
    fn keys_are_not_in_its_debug_text() {
        assert_eq!(format!("{:?}", vault(&format!("{TWO},{ONE}"))), "Vault { keys: [2, 1], .. }");
    }
}
