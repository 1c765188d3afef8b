//! The tables of `caseload.toml` as serde reads them.

use std::path::PathBuf;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny};

use crate::api::{
    AuthPlace, CaseIdField, Contract, FirmPlace, ManagementBodies, ManagementPaths, StatusList,
};
use crate::mapping::{FieldSource, NamePart, ValueType};

/// The whole file; tables of names in the order of the file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ConfigFile {
    pub(super) api: ApiSettings,
    pub(super) case: CaseSection,
    pub(super) partner_firms: IndexMap<String, String>,
    pub(super) fields: Option<IndexMap<String, FieldSection>>,
    pub(super) ledger: LedgerSection,
    pub(super) platform: PlatformSection,
    pub(super) webhooks: WebhookSection,
}

/// `[api]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ApiSettings {
    pub(crate) base_url: Option<String>,
    pub(crate) org_id: Option<String>,
    pub(crate) map_id: Option<String>,
    /// A template with `{map_id}` and `{org_id}`.
    pub(crate) path: Option<String>,
    auth: AuthPlace,
    partner_firm_id_in: FirmPlace,
    case_id_field: CaseIdField,
    not_sent: Option<StatusList>,
    rejected: Option<StatusList>,
    pub(crate) paths: ManagementPaths,
    pub(crate) bodies: ManagementBodies,
    pub(crate) private_auth: AuthPlace,
}

impl ApiSettings {
    pub(crate) fn contract(&self) -> Contract {
        Contract {
            partner_firm_id_in: self.partner_firm_id_in,
            auth: self.auth.clone(),
            case_id_field: self.case_id_field.clone(),
            not_sent: self.not_sent.clone().unwrap_or_else(StatusList::not_sent),
            rejected: self.rejected.clone().unwrap_or_else(StatusList::rejected),
        }
    }
}

/// `[case]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CaseSection {
    pub(super) key: OneOrMore,
    pub(super) source: Option<String>,
    pub(super) partner_firm: Option<String>,
    pub(super) passthrough: Option<bool>,
    pub(super) partner_firms_file: Option<String>,
}

/// `[fields.NAME]`.
#[derive(Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { from = \"Column\" }"
)]
pub(super) struct FieldSection {
    pub(super) from: OneOrMore,
    // Taken from the document, for the digits of numbers.
    #[serde(rename = "value")]
    _value: Option<IgnoredAny>,
    #[serde(rename = "default")]
    _default: Option<IgnoredAny>,
    #[serde(rename = "type")]
    pub(super) value_type: Option<ValueType>,
    pub(super) formats: OneOrMore,
    pub(super) choices: Vec<String>,
    pub(super) rename: IndexMap<String, String>,
    pub(super) rename_file: Option<String>,
    pub(super) required: bool,
    pub(super) min_length: Option<usize>,
    pub(super) max_length: Option<usize>,
    pub(super) pattern: Option<String>,
    pub(super) part: Option<NamePart>,
    pub(super) omit_empty: Option<bool>,
    pub(super) flat: bool,
    pub(super) lexamica: Option<String>,
}

/// `[ledger]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LedgerSection {
    /// Resolved against the config's folder.
    pub(crate) path: Option<PathBuf>,
    /// The address of a `PostgreSQL` server, without a password.
    pub(crate) url: Option<String>,
    /// The only ledger to accept.
    pub(crate) id: Option<String>,
    /// Payloads stay in the ledger after the import.
    pub(crate) keep_payloads: bool,
}

/// `[platform]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PlatformSection {
    /// A link with `{case_id}` in it.
    pub(crate) case_url: Option<String>,
}

/// `[webhooks]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebhookSection {
    /// Where the platform posts to, without the events' names.
    pub(crate) public_url: Option<String>,
    /// Resolved against the config's folder.
    pub(crate) secrets: Option<PathBuf>,
    pub(crate) signature_header: Option<String>,
    pub(crate) delivery_id_header: Option<String>,
    // Where an event has its parts; dotted paths.
    pub(crate) case_id_field: Option<String>,
    pub(crate) title_field: Option<String>,
    pub(crate) content_field: Option<String>,
    pub(crate) date_field: Option<String>,
    pub(crate) stage_field: Option<String>,
    pub(crate) amount_field: Option<String>,
}

/// A text, or a list of different ones.
#[derive(Default)]
pub(super) struct OneOrMore {
    pub(super) texts: Vec<String>,
    is_list: bool,
}

impl OneOrMore {
    /// What `from` means: braces make a template, except in a list.
    pub(super) fn into_source(self) -> FieldSource {
        match self.texts.as_slice() {
            [] if !self.is_list => FieldSource::SameName,
            [text] if !self.is_list => FieldSource::from_text(text),
            _ => FieldSource::Columns(self.texts),
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (values, is_list) = match toml::Value::deserialize(deserializer)? {
            toml::Value::Array(values) => (values, true),
            value => (vec![value], false),
        };
        let mut texts = Vec::new();
        for value in values {
            let toml::Value::String(text) = value else {
                return Err(D::Error::custom("expected text, or a list of texts"));
            };
            if text.trim().is_empty() {
                return Err(D::Error::custom("must not be empty"));
            }
            if texts.contains(&text) {
                return Err(D::Error::custom(format!("\"{text}\" is listed twice")));
            }
            texts.push(text);
        }
        Ok(Self { texts, is_list })
    }
}
