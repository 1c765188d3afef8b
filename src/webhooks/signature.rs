//! The signature of a delivery: HMAC-SHA256 over the raw body, as hex or
//! Base64, with or without `sha256=` in front (assumed).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::api::Secret;

/// Whether one of the secrets has signed the body. Compared in constant time,
/// and before anything of the body is parsed.
pub(super) fn is_valid(secrets: &[Secret], body: &[u8], header: &str) -> bool {
    let text = header.trim();
    let text = text.strip_prefix("sha256=").unwrap_or(text);
    let Some(signature) = decoded(text) else {
        return false;
    };
    secrets.iter().any(|secret| {
        // HMAC takes a key of any length.
        Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes())
            .is_ok_and(|mac| mac.chain_update(body).verify_slice(&signature).is_ok())
    })
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 {
        return BASE64_STANDARD.decode(text).ok();
    }
    let digits = text.as_bytes().chunks(2);
    let digits = digits.map(|pair| str::from_utf8(pair).ok());
    digits
        .map(|pair| u8::from_str_radix(pair?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    const BODY: &[u8] = b"what do ya want for nothing?";
    const HEX: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    const TEXT: &str = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";

    fn secrets(texts: &[&str]) -> Vec<Secret> {
        let secrets = texts.iter();
        let secrets = secrets.map(|text| Secret::from_text(text, "a test").unwrap());
        secrets.collect()
    }

    #[test]
    fn hex_and_base64_are_valid_with_and_without_a_prefix() {
        let own = secrets(&["Jefe"]);
        for text in [HEX, TEXT, &HEX.to_uppercase()] {
            assert!(is_valid(&own, BODY, text), "{text}");
            assert!(is_valid(&own, BODY, &format!(" sha256={text} ")), "{text}");
        }
        assert!(is_valid(&secrets(&["new", "Jefe"]), BODY, HEX), "rotation");
    }

    #[test]
    fn everything_else_is_not() {
        let own = secrets(&["Jefe"]);
        let mut other = HEX.to_owned();
        other.replace_range(0..1, "6");
        for text in [
            "",
            "sha256=",
            &other,
            &HEX[..62],
            &TEXT[1..],
            &format!("sha1={HEX}"),
            &format!("+{}", &HEX[1..]),
            &"é".repeat(32),
        ] {
            assert!(!is_valid(&own, BODY, text), "{text}");
        }
        assert!(!is_valid(&own, b"another body", HEX));
        assert!(!is_valid(&secrets(&["jefe"]), BODY, HEX));
        assert!(!is_valid(&[], BODY, HEX));
    }
}
