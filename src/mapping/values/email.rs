//! E-mail addresses: whether it can be one, without asking the mail server.

use crate::model::Code;

use super::Fault;

/// The address in a text, trimmed, if it is one.
pub fn email_of(text: &str) -> Option<&str> {
    let text = text.trim();
    is_address(text).then_some(text)
}

pub(super) fn email(text: &str) -> Result<&str, Fault> {
    if is_address(text) {
        return Ok(text);
    }
    let fault = Fault::new(Code::BadEmail, "not an e-mail address");
    Err(if text.matches('@').count() > 1 {
        fault.hint("keep one address; others need a column of their own")
    } else if text.contains('<') || text.to_ascii_lowercase().starts_with("mailto:") {
        fault.hint("keep the bare address, such as ann@example.com")
    } else {
        fault
    })
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    text.len() <= 254 && local.len() <= 64 && is_local(local) && is_domain(domain)
}

fn is_local(local: &str) -> bool {
    let odd = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(
                c,
                '"' | '(' | ')' | ',' | ':' | ';' | '<' | '>' | '[' | '\\' | ']'
            )
    };
    !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && !local.chars().any(odd)
}

fn is_domain(domain: &str) -> bool {
    let mut labels = 0;
    let mut last = "";
    for label in domain.split('.') {
        let fits = |c: char| {
            c.is_ascii_alphanumeric() || c == '-' || (!c.is_ascii() && c.is_alphanumeric())
        };
        if label.is_empty()
            || label.len() > 63
            || label.starts_with('-')
            || label.ends_with('-')
            || !label.chars().all(fits)
        {
            return false;
        }
        labels += 1;
        last = label;
    }
    labels >= 2 && last.len() >= 2 && !last.bytes().all(|byte| byte.is_ascii_digit())
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
