//! `Retry-After`: seconds, or an HTTP date measured against the response's own
//! `Date`, so that a wrong clock on either side does no harm (RFC 9110, 10.2.3).

use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};

/// The longest wait that the headers ask for; none when there is no such
/// header, or it can't be read.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let sent_at = headers.get(DATE).and_then(http_date).unwrap_or(now);
    let waits = headers.get_all(RETRY_AFTER).into_iter();
    waits.filter_map(|value| wait(value, sent_at)).max()
}

fn wait(value: &HeaderValue, sent_at: SystemTime) -> Option<Duration> {
    if let Some(until) = http_date(value) {
        return Some(until.duration_since(sent_at).unwrap_or_default());
    }
    let text = value.to_str().ok()?.trim();
    if text
        .bytes()
        .any(|byte| !byte.is_ascii_digit() && byte != b'.')
    {
        return None;
    }
    let seconds: f64 = text.parse().ok()?;
    // A number that does not fit is longer than any `--max-wait`.
    Some(Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(Duration::MAX))
}

fn http_date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 00:00:10 GMT").unwrap();
        retry_after(&headers, now)
    }

    #[test]
    fn seconds_are_rounded_up() {
        for (value, seconds) in [(" 7 ", 7), ("0", 0), ("1.2", 2), ("0.001", 1)] {
            let expected = Some(Duration::from_secs(seconds));
            assert_eq!(read(&[("retry-after", value)]), expected, "{value:?}");
        }
        let forever = read(&[("retry-after", "99999999999999999999999")]);
        assert_eq!(forever, Some(Duration::MAX));
        for value in ["", "soon", "-1", "inf", "1e3", "7 s"] {
            assert_eq!(read(&[("retry-after", value)]), None, "{value:?}");
        }
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn all_three_forms_of_dates_are_measured_against_the_response() {
        let five = Some(Duration::from_secs(5));
        for value in [
            "Wed, 21 Oct 2015 07:28:05 GMT",
            "Wednesday, 21-Oct-15 07:28:05 GMT",
            "Wed Oct 21 07:28:05 2015",
        ] {
            let date = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
            assert_eq!(read(&[("retry-after", value), date]), five, "{value}");
        }
        let without_date = read(&[("retry-after", "Mon, 23 Nov 2026 00:00:30 GMT")]);
        assert_eq!(without_date, Some(Duration::from_secs(20)), "by our clock");
        let past = read(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]);
        assert_eq!(past, Some(Duration::ZERO), "a date in the past is no wait");
    }

    #[test]
    fn of_two_headers_the_longer_counts() {
        let two = read(&[
            ("retry-after", "3"),
            ("retry-after", "9"),
            ("retry-after", "?"),
        ]);
        assert_eq!(two, Some(Duration::from_secs(9)));
    }
}
