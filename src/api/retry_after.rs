//! `Retry-After`: seconds, or a date measured against the answer's own date,
//! so that a wrong clock on either side does no harm (RFC 9110, 10.2.3).

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::Timestamp;

/// How long the server asks to wait; none when it doesn't, or in no form that
/// can be read.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits past u64 are as good as forever: the longest wait stops it.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = http_date(value)?;
    let from = headers
        .get(DATE)
        .and_then(|date| date.to_str().ok())
        .and_then(http_date)
        .unwrap_or(now);
    let seconds = until.as_second().saturating_sub(from.as_second());
    Some(Duration::from_secs(seconds.try_into().unwrap_or(0)))
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(pairs: &[(&'static str, &'static str)]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        retry_after(&headers, "2026-11-23T00:00:10Z".parse().unwrap())
            .map(|duration| duration.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        assert_eq!(seconds(&[("retry-after", " 7 ")]), Some(7));
        assert_eq!(seconds(&[("retry-after", "0")]), Some(0));
        assert_eq!(
            seconds(&[("retry-after", "99999999999999999999999")]),
            Some(u64::MAX)
        );
        assert_eq!(
            seconds(&[
                ("retry-after", "Wed, 21 Oct 2015 07:28:05 GMT"),
                ("date", "Wed, 21 Oct 2015 07:28:00 GMT"),
            ]),
            Some(5),
            "measured against the answer's own date"
        );
        assert_eq!(
            seconds(&[("retry-after", "Mon, 23 Nov 2026 00:00:30 GMT")]),
            Some(20),
            "or against our clock"
        );
        assert_eq!(
            seconds(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]),
            Some(0),
            "a date gone by is no wait"
        );
        assert_eq!(seconds(&[("retry-after", "soon")]), None);
        assert_eq!(seconds(&[]), None);
    }
}
