//! What became of the cases after their import, by the events that webhooks
//! brought.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::color;
use super::text::{MAX_BODY_SHOWN, count, cut, escaped_or_redacted, grouped, redacted};
use crate::model::{Key, local_time};
use crate::webhooks::{Event, Lives};

/// Stages that are shown one by one.
const STAGES_SHOWN: usize = 8;

/// Counts over all cases.
#[derive(Debug)]
pub(crate) struct LivesView<'a> {
    pub(crate) lives: &'a Lives,
    /// Imported without a partner firm.
    pub(crate) drafts: u64,
    /// Imported cases without any news for this long.
    pub(crate) stale: u64,
    pub(crate) stale_after: &'a str,
}

impl LivesView<'_> {
    /// Lines for people; none when there is nothing to tell.
    pub(crate) fn text(&self, redact: bool) -> String {
        let mut text = String::new();
        let mut line = |number: u64, what: &str| {
            if number > 0 {
                // Writing to a String can't fail.
                let _ = writeln!(text, "  {:>9} {what}", grouped(number));
            }
        };
        line(
            self.drafts,
            "drafts: they wait on the platform until somebody chooses a partner firm",
        );
        let mut stages: Vec<_> = self.lives.stages().into_iter().collect();
        stages.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        let others = stages.split_off(stages.len().min(STAGES_SHOWN));
        for (stage, number) in stages {
            line(number, &format!("in the stage {}", shown(stage, redact)));
        }
        line(
            others.iter().map(|(_, number)| number).sum(),
            "in other stages",
        );
        line(self.lives.settled(), "settled");
        if self.lives.has_events() {
            let stale = format!("without news for {}", self.stale_after);
            line(self.stale, &color::yellow(&stale));
        }
        let unmatched = self.lives.unmatched;
        if unmatched > 0 {
            let events = count(unmatched, "event");
            // Writing to a String can't fail.
            let _ = writeln!(
                text,
                "{events} of no known case: see them with export --events"
            );
        }
        text
    }

    pub(crate) fn to_json(&self, redact: bool) -> Value {
        // Stages of one shape are one.
        let mut stages = BTreeMap::<_, u64>::new();
        for (stage, number) in self.lives.stages() {
            *stages.entry(redacted(stage, redact)).or_default() += number;
        }
        json!({
            "drafts": self.drafts,
            "stages": stages,
            "settled": self.lives.settled(),
            "stale": self.stale,
            "events_of_no_case": self.lives.unmatched,
        })
    }
}

/// A text of an event, which may be as long as its body.
fn shown(text: &str, redact: bool) -> String {
    escaped_or_redacted(&cut(text, MAX_BODY_SHOWN), redact)
}

/// The events of one case, a line or two each.
pub(crate) fn timeline_text(events: &[Event], redact: bool) -> String {
    let mut text = String::new();
    for event in events {
        let parts = [&event.stage, &event.title, &event.amount];
        let parts = parts.into_iter().flatten();
        let mut parts: Vec<String> = parts.map(|text| shown(text, redact)).collect();
        if parts.is_empty() {
            parts.push(shown(&event.body, redact));
        }
        // Writing to a String can't fail.
        let _ = write!(
            text,
            "\n    {}  {}: {}",
            local_time(event.at),
            event.kind.label(),
            parts.join(", ")
        );
        if let Some(content) = &event.content {
            let _ = write!(text, "\n        {}", shown(content, redact));
        }
    }
    text
}

/// An event as scripts get it, with its texts as they may be shown.
pub(crate) fn event_json<'e>(
    event: &'e Event,
    key: Option<&Key>,
    shown: impl Fn(&'e str) -> Cow<'e, str>,
) -> Value {
    let text = |text: &'e Option<String>| text.as_deref().map(&shown);
    json!({
        "key": key.map(Key::to_string),
        "event": event.kind.label(),
        "at": event.at,
        "received_at": event.received_at,
        "title": text(&event.title),
        "content": text(&event.content),
        "stage": text(&event.stage),
        "amount": text(&event.amount),
        "body": shown(&event.body),
    })
}
