//! E-mail addresses: whether it can be one, without asking the mail server.

use crate::model::Code;

use super::ValueError;

/// The address in a text, trimmed, if it is one.
pub fn email_of(text: &str) -> Option<&str> {
    let text = text.trim();
    is_address(text).then_some(text)
}

pub(super) fn email(text: &str) -> Result<&str, ValueError> {
    if is_address(text) {
        return Ok(text);
    }
    let fault = ValueError::new(Code::BadEmail, "not an e-mail address");
    Err(if text.matches('@').count() > 1 {
        fault.hint("keep one address; others need a column of their own")
    } else if text.contains('<') || text.to_ascii_lowercase().starts_with("mailto:") {
        fault.hint("keep the bare address, such as ann@example.com")
    } else {
        fault
    })
}

fn is_address(text: &str) -> bool {
    let Some(at) = memchr::memchr(b'@', text.as_bytes()) else {
        return false;
    };
    let (local, domain) = (&text[..at], &text[at + 1..]);
    text.len() <= 254 && local.len() <= 64 && is_local(local) && is_domain(domain)
}

fn is_local(local: &str) -> bool {
    let mut before = b'.';
    for byte in local.bytes() {
        let fits = match byte {
            // At the front, or two in a row.
            b'.' => before != b'.',
            b'"' | b'(' | b')' | b',' | b':' | b';' | b'<' | b'>' | b'[' | b'\\' | b']' => false,
            _ => byte.is_ascii_graphic() || !byte.is_ascii(),
        };
        if !fits {
            return false;
        }
        before = byte;
    }
    before != b'.' && (local.is_ascii() || !local.contains(char::is_whitespace))
}

fn is_domain(domain: &str) -> bool {
    let mut labels = 0;
    let mut last: &[u8] = &[];
    for label in domain.as_bytes().split(|byte| *byte == b'.') {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || !byte.is_ascii();
        let is_edged = matches!(label, [b'-', ..] | [.., b'-'] | []);
        if is_edged || label.len() > 63 || !label.iter().all(fits) {
            return false;
        }
        labels += 1;
        last = label;
    }
    labels >= 2
        && last.len() >= 2
        && !last.iter().all(u8::is_ascii_digit)
        && (domain.is_ascii()
            || !domain
                .chars()
                .any(|c| !c.is_ascii() && !c.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for text in [
            "ann@example.com",
            " Ann.Lee+intake@mail.example.co.uk ",
            "o'brien@example.com",
            "rené@exämple.fr",
        ] {
            assert_eq!(email_of(text), Some(text.trim()), "{text}");
        }
        for text in [
            "ann",
            "ann@",
            "@example.com",
            "ann@example",
            "a b@example.com",
            "a..b@example.com",
            ".a@example.com",
            "a.@example.com",
            "ann@@example.com",
            "ann@example..com",
            "ann@-example.com",
            "ann@example.c",
            "ann@1.2",
            "a@b.com; c@d.com",
            "Ann <ann@example.com>",
            "mailto:ann@example.com",
            "ann@example.com.",
        ] {
            assert_eq!(email(text).unwrap_err().code, Code::BadEmail, "{text}");
        }
        assert!(
            email("a@b.com, c@d.com")
                .unwrap_err()
                .hint
                .unwrap()
                .contains("one address")
        );
    }
}
