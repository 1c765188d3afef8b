//! The four things that can be said of cases, in words.

use crate::cli::settings::ResolveAction;
use crate::ledger::Refusal;
use crate::model::State;
use crate::output::terminal::text::count;

impl ResolveAction {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::NotImported => "not_imported",
            Self::Removed => "removed",
            Self::Undo => "undo",
        }
    }

    pub(super) fn question(self, number: u64) -> String {
        let cases = count(number, "case");
        let (are, they) = if number == 1 {
            ("is", "It is")
        } else {
            ("are", "They are")
        };
        match self {
            Self::Imported => {
                format!("Say that {cases} {are} on the platform? {they} not sent again.")
            }
            Self::NotImported => format!(
                "Say that {cases} {are} not on the platform? {they} sent by the next import."
            ),
            Self::Removed => format!(
                "Say that {cases} {are} gone on the platform? {they} sent by the next import."
            ),
            Self::Undo => format!("Take back the last word on {cases}?"),
        }
    }

    pub(super) fn done(self, number: u64) -> String {
        let cases = count(number, "case");
        match self {
            Self::Imported => format!("{cases} said to be on the platform"),
            Self::NotImported => {
                format!("{cases} said not to be on the platform; the next import sends them")
            }
            Self::Removed => {
                format!("{cases} said to be gone on the platform; the next import sends them")
            }
            Self::Undo => format!("the last word on {cases} was taken back"),
        }
    }

    /// Why it came to nothing, with what to do.
    pub(super) fn refused(self, refusal: &Refusal) -> String {
        let hint = match (self, refusal) {
            (Self::Imported, Refusal::State(State::Imported)) => "nothing is left to say",
            (Self::NotImported, Refusal::State(State::Imported)) => {
                "--removed says that it is gone"
            }
            (Self::Imported | Self::NotImported, Refusal::State(_)) => {
                "this is for cases in doubt; the next import sends it anyway"
            }
            (Self::Removed, Refusal::State(State::InDoubt)) => "--not-imported is for doubts",
            (Self::Removed, Refusal::State(_)) => "--removed is for imported cases",
            (_, Refusal::IdHeldBy(_)) => "look both up; an id belongs to one case",
            _ => "",
        };
        if hint.is_empty() {
            refusal.to_string()
        } else {
            format!("{refusal}; {hint}")
        }
    }
}
