//! The webhook events that concern an imported case.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// One event type; each has a subscription of its own. Named as the last part
/// of its path and in the file of secrets.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    IntoStaticStr,
    EnumString,
    VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum EventKind {
    Updates,
    Stages,
    Settlements,
}

impl EventKind {
    pub(crate) const ALL: &'static [Self] = Self::VARIANTS;

    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }

    /// The platform's name of the event (guide).
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Updates => "Case Update Made",
            Self::Stages => "Case Stage Changed",
            Self::Settlements => "Case Settlement",
        }
    }
}
