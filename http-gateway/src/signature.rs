//! Whether a request comes from Discord.
//!
//! Discord signs `timestamp ‖ body` with ed25519 and sends the signature in hexadecimal. What cannot be right is
//! refused before any curve arithmetic: it costs a microsecond instead of thirty, and Discord itself sends bad requests
//! routinely.

use std::str::FromStr;

use axum::http::HeaderMap;
use ed25519_dalek::{Signature, VerifyingKey};

/// The header with the signature.
pub const SIGNATURE: &str = "x-signature-ed25519";
/// The header with the time of signing, in seconds since 1970.
pub const TIMESTAMP: &str = "x-signature-timestamp";

/// How far the time of signing may be from ours, in seconds, either way.
///
/// Discord documents no window, and a request is answered within 3 s or never, so any window is ours to choose. Five
/// minutes forgive a clock that is badly set, and end the use of a recorded request; within them the worker knows an
/// interaction that it has seen.
pub const WINDOW: u64 = 300;

/// A key that can be trusted to tell Discord's signatures from others.
#[derive(Clone, Debug)]
pub struct PublicKey(VerifyingKey);

/// The text is no usable key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadKey {
    /// Not 64 hexadecimal digits.
    #[error("not 64 hexadecimal digits")]
    Malformed,
    /// Not a point of the curve.
    #[error("not an ed25519 key")]
    NoPoint,
    /// A point of small order, for which signatures can be made without a secret.
    #[error("a weak key")]
    Weak,
}

impl FromStr for PublicKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| BadKey::Malformed)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| BadKey::NoPoint)?;
        if key.is_weak() {
            return Err(BadKey::Weak);
        }
        Ok(Self(key))
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// A header is missing.
    Missing,
    /// The signature is not 128 hexadecimal digits.
    MalformedSignature,
    /// The timestamp is not a number of seconds.
    MalformedTimestamp,
    /// The timestamp is too far from our time.
    Stale,
    /// The signature is not Discord's.
    Forged,
}

impl Refused {
    /// The label of the metric.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::MalformedSignature => "malformed_signature",
            Self::MalformedTimestamp => "malformed_timestamp",
            Self::Stale => "stale",
            Self::Forged => "forged",
        }
    }
}

/// A signature that has the right form and a recent time, and is yet to be verified.
#[derive(Debug)]
pub struct Claim {
    signature: Signature,
    timestamp: String,
}

/// Reads the headers; `now` is in seconds since 1970.
///
/// # Errors
///
/// The reason for which no body could make the request valid.
pub fn claim(headers: &HeaderMap, now: i64) -> Result<Claim, Refused> {
    let (Some(signature), Some(timestamp)) = (headers.get(SIGNATURE), headers.get(TIMESTAMP)) else {
        return Err(Refused::Missing);
    };
    let mut bytes = [0; 64];
    hex::decode_to_slice(signature.as_bytes(), &mut bytes).map_err(|_| Refused::MalformedSignature)?;
    let timestamp = timestamp.to_str().map_err(|_| Refused::MalformedTimestamp)?;
    // A sign or spaces would parse too, and Discord never writes them.
    if !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused::MalformedTimestamp);
    }
    let seconds: i64 = timestamp.parse().map_err(|_| Refused::MalformedTimestamp)?;
    if seconds.abs_diff(now) > WINDOW {
        return Err(Refused::Stale);
    }
    Ok(Claim { signature: Signature::from_bytes(&bytes), timestamp: timestamp.to_owned() })
}

impl Claim {
    /// Whether Discord signed this body. Strictly: signatures that other libraries accept in more than one form are
    /// refused.
    ///
    /// # Errors
    ///
    /// `Refused::Forged`.
    pub fn verify(&self, key: &PublicKey, body: &[u8]) -> Result<(), Refused> {
        let mut message = Vec::with_capacity(self.timestamp.len() + body.len());
        message.extend_from_slice(self.timestamp.as_bytes());
        message.extend_from_slice(body);
        key.0.verify_strict(&message, &self.signature).map_err(|_| Refused::Forged)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn signer() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn key() -> PublicKey {
        hex::encode(signer().verifying_key()).parse().unwrap()
    }

    fn sign(timestamp: &str, body: &[u8]) -> String {
        hex::encode(signer().sign(&[timestamp.as_bytes(), body].concat()).to_bytes())
    }

    fn headers(signature: &str, timestamp: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE, HeaderValue::from_str(signature).unwrap());
        headers.insert(TIMESTAMP, HeaderValue::from_str(timestamp).unwrap());
        headers
    }

    fn verdict(headers: &HeaderMap, body: &[u8]) -> Result<(), Refused> {
        claim(headers, NOW)?.verify(&key(), body)
    }

    #[test]
    fn what_discord_signed_is_accepted() {
        let now = NOW.to_string();
        assert_eq!(verdict(&headers(&sign(&now, b"{}"), &now), b"{}"), Ok(()));
        let upper = sign(&now, b"{}").to_uppercase();
        assert_eq!(verdict(&headers(&upper, &now), b"{}"), Ok(()));
    }

    #[test]
    fn a_changed_body_timestamp_or_signature_is_refused() {
        let now = NOW.to_string();
        let signature = sign(&now, b"{}");
        assert_eq!(verdict(&headers(&signature, &now), b"{ }"), Err(Refused::Forged));
        assert_eq!(verdict(&headers(&signature, &(NOW + 1).to_string()), b"{}"), Err(Refused::Forged));
        // The boundary between timestamp and body cannot be moved.
        let (head, last) = now.split_at(now.len() - 1);
        let mut moved = claim(&headers(&signature, &now), NOW).unwrap();
        moved.timestamp = head.to_owned();
        assert_eq!(moved.verify(&key(), format!("{last}{{}}").as_bytes()), Ok(()), "the bytes are the same");
        assert_eq!(verdict(&headers(&signature, head), format!("{last}{{}}").as_bytes()), Err(Refused::Stale));
        let mut bytes = hex::decode(&signature).unwrap();
        bytes[40] ^= 1;
        assert_eq!(verdict(&headers(&hex::encode(bytes), &now), b"{}"), Err(Refused::Forged));
    }

    #[test]
    fn malformed_headers_are_refused_before_the_curve() {
        let now = NOW.to_string();
        let good = sign(&now, b"");
        for bad in ["", "00", &good[..126], &format!("{good}00"), &good.replace(|c: char| c.is_ascii_digit(), "g")] {
            assert_eq!(claim(&headers(bad, &now), NOW).unwrap_err(), Refused::MalformedSignature, "{bad}");
        }
        for bad in ["", "now", "+1800000000", " 1800000000", "1800000000.0", "99999999999999999999"] {
            assert_eq!(claim(&headers(&good, bad), NOW).unwrap_err(), Refused::MalformedTimestamp, "{bad:?}");
        }
        assert_eq!(claim(&HeaderMap::new(), NOW).unwrap_err(), Refused::Missing);
    }

    #[test]
    fn the_window_is_five_minutes_either_way() {
        for (offset, ok) in [(-301, false), (-300, true), (300, true), (301, false)] {
            let time = (NOW + offset).to_string();
            assert_eq!(verdict(&headers(&sign(&time, b"x"), &time), b"x").is_ok(), ok, "{offset}");
        }
    }

    /// Encodings of the points of small order, for which anybody can make signatures.
    const WEAK: [&str; 5] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];

    #[test]
    fn weak_and_malformed_keys_are_refused() {
        for weak in WEAK {
            assert_eq!(weak.parse::<PublicKey>().unwrap_err(), BadKey::Weak, "{weak}");
        }
        for malformed in ["", "00", "zz", &"0".repeat(63), &"0".repeat(66)] {
            assert_eq!(malformed.parse::<PublicKey>().unwrap_err(), BadKey::Malformed);
        }
        let no_point = format!("02{}", "0".repeat(62));
        assert_eq!(no_point.parse::<PublicKey>().unwrap_err(), BadKey::NoPoint);
    }

    #[test]
    fn signatures_with_points_of_small_order_are_refused() {
        for weak in WEAK {
            let signature = format!("{weak}{}", "0".repeat(64));
            assert_eq!(verdict(&headers(&signature, &NOW.to_string()), b"{}"), Err(Refused::Forged));
        }
    }

    #[test]
    fn a_scalar_that_was_not_reduced_is_refused() {
        let now = NOW.to_string();
        let mut bytes = hex::decode(sign(&now, b"{}")).unwrap();
        // s + ℓ: the same signature to a library that does not check.
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
        let mut carry = 0u16;
        for (byte, add) in bytes[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
        assert_eq!(verdict(&headers(&hex::encode(bytes), &now), b"{}"), Err(Refused::Forged));
    }
}
