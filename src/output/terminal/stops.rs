//! Why a run stopped early, and how to go on, in words.

use super::text::{count, span};
use crate::model::StopReason;

/// What the words depend on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Situation<'a> {
    /// The path has no organization id.
    pub short_path: bool,
    /// What the server or the network said last.
    pub said: Option<&'a str>,
}

/// The likely cause and the way out, as one or two sentences.
pub(crate) fn stopped(reason: &StopReason, situation: Situation<'_>) -> String {
    let organization = if situation.short_path {
        " No organization id was given, so the short path was used: try --org-id."
    } else {
        ""
    };
    match reason {
        StopReason::Interrupted => "interrupted: no further call was made".to_owned(),
        StopReason::Unreachable => "the server can't be reached. Check the base URL and the \
             network, then run the same command again."
            .to_owned(),
        StopReason::ConnectionRejected => {
            "the connection was refused before anything was sent. Trying \
             again does not help: see what it said; a company's own certificate authority is \
             named with --ca-file, and HTTPS_PROXY and NO_PROXY name the proxy."
                .to_owned()
        }
        StopReason::Redirected(status) => format!(
            "the server answered with a redirect ({status}), which is never followed with a \
             case. The base URL or the organization id is probably not the right one.{organization}"
        ),
        StopReason::Unauthorized => "the server refused the key (401). Check that the public key \
             belongs to this organization and is whole; a call with a wrong key makes nothing."
            .to_owned(),
        StopReason::ProxyAuth => {
            "a proxy wants a login (407). Put user and password into HTTPS_PROXY.".to_owned()
        }
        StopReason::Forbidden(statuses) => format!(
            "{} in a row and nothing imported: organization, map id or key \
             is probably not the right one.{organization} With --max-failures 0 the run goes on \
             all the same.",
            answers(statuses)
        ),
        StopReason::CanaryWithoutId => "the server accepted one of the first cases, but the \
             answer holds no case id. Look at the answer above: name the field that holds the \
             id with api.case_id_field in caseload.toml, or set it to \"none\" where answers \
             carry no id; then settle the case with `caseload resolve`."
            .to_owned(),
        StopReason::CanaryRejected(status) => format!(
            "one of the first cases was answered with {status}: organization, map id or path is \
             probably not the right one.{organization}"
        ),
        StopReason::EchoDiffers => "fields came back otherwise than they were sent. Look at \
             the mapping on the platform before you go on."
            .to_owned(),
        StopReason::DuplicateIds => "two answers in a row held the id of another case. Either the \
             server merges cases, or api.case_id_field names the wrong field."
            .to_owned(),
        StopReason::Failures(number) => format!(
            "{} in a row failed. Look at the messages above; --max-failures sets how many are too \
             many.",
            count(u64::from(*number), "case")
        ),
        StopReason::WaitTooLong(wait) if *wait > std::time::Duration::from_hours(720) => {
            "the server asked for a pause of more than a month; --max-wait sets how long is too \
             long"
                .to_owned()
        }
        StopReason::WaitTooLong(wait) => format!(
            "the server asked for a pause of {}; --max-wait sets how long is too long",
            span(*wait)
        ),
        StopReason::Ledger => "what happens can no longer be written down, so nothing more was \
             sent. Mend the cause, then look at `caseload status` before you go on."
            .to_owned(),
    }
}

/// `three answers 403`, or `answers 403, 404 and 403` where they differ.
fn answers(statuses: &[u16]) -> String {
    match statuses {
        [one, two, three] if one == two && two == three => format!("three answers {one}"),
        [before @ .., last] if !before.is_empty() => {
            let before: Vec<String> = before.iter().map(u16::to_string).collect();
            format!("answers {} and {last}", before.join(", "))
        }
        _ => "refusals".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_as_they_came() {
        let told = |statuses: &[u16]| {
            let reason = StopReason::Forbidden(statuses.to_vec());
            let words = stopped(&reason, Situation::default());
            words.split_once(':').map(|(what, _)| what.to_owned())
        };
        assert_eq!(
            told(&[404, 404, 404]).as_deref(),
            Some("three answers 404 in a row and nothing imported")
        );
        assert_eq!(
            told(&[403, 404, 403]).as_deref(),
            Some("answers 403, 404 and 403 in a row and nothing imported")
        );
    }
}
