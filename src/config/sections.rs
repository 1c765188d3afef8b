//! The tables of `caseload.toml` as serde reads them. What is said about each
//! setting here is what an editor shows: the schema is made of it.

use std::borrow::Cow;
use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny};
use serde_json::Value;

use crate::api::{
    AuthPlace, CaseIdField, Contract, FirmPlace, ManagementBodies, ManagementPaths, StatusList,
};
use crate::mapping::{FieldSource, JoinRule, NamePart, ValueType};

/// How cases are made of files, and where they go.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "caseload.toml")]
pub(super) struct ConfigFile {
    pub(super) api: ApiSettings,
    pub(super) case: CaseSection,
    /// Firms as the files name them, with their ids on the platform.
    pub(super) partner_firms: IndexMap<String, String>,
    /// The fields of a case, by their names in the mapping. With them, only what
    /// is named is sent.
    pub(super) fields: Option<IndexMap<String, FieldSection>>,
    /// Files whose columns rules read as `NAME.COLUMN`, by these names.
    pub(super) join: IndexMap<String, JoinRule>,
    pub(super) ledger: LedgerSection,
    pub(super) platform: PlatformSection,
    pub(super) webhooks: WebhookSection,
}

/// The account, and what is assumed about the server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ApiSettings {
    /// URL of the API, such as `https://api.example.com`.
    pub(crate) base_url: Option<String>,
    /// Organization id; uses the full API path.
    pub(crate) org_id: Option<String>,
    /// Id of the mapping.
    pub(crate) map_id: Option<String>,
    /// Path of the call that creates a case: a template with `{map_id}` and
    /// `{org_id}`.
    pub(crate) path: Option<String>,
    auth: AuthPlace,
    partner_firm_id_in: FirmPlace,
    case_id_field: CaseIdField,
    /// Answers that mean "never processed".
    not_sent: Option<StatusList>,
    /// Answers that mean "rejected, nothing was created".
    rejected: Option<StatusList>,
    pub(crate) paths: ManagementPaths,
    pub(crate) bodies: ManagementBodies,
    /// How `setup` sends the private key.
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

/// What makes a case of a record.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CaseSection {
    /// Columns that identify a case, so that it is never sent twice.
    pub(super) key: OneOrMore,
    /// The system that the keys come from, where several feed one account.
    pub(super) source: Option<String>,
    /// Column with the handling firm.
    pub(super) partner_firm: Option<String>,
    /// Send the columns that no field names, under their own names.
    pub(super) passthrough: Option<bool>,
    /// CSV file of names and ids of firms, beside the config.
    pub(super) partner_firms_file: Option<String>,
}

/// What a constant may be.
const CONSTANT: [&str; 3] = ["string", "number", "boolean"];

/// How one field is made of a record's columns.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table such as { from = \"Column\" }"
)]
pub(super) struct FieldSection {
    /// Its column; of several the first that is filled; or a template such as
    /// `{First} {Last}`.
    pub(super) from: OneOrMore,
    // Taken from the document, for the digits of numbers.
    /// The same value in every case.
    #[serde(rename = "value")]
    #[schemars(with = "Value", extend("type" = CONSTANT))]
    _value: Option<IgnoredAny>,
    /// The value where the columns are empty.
    #[serde(rename = "default")]
    #[schemars(with = "Value", extend("type" = CONSTANT))]
    _default: Option<IgnoredAny>,
    #[serde(rename = "type")]
    pub(super) value_type: Option<ValueType>,
    /// Forms of a date, such as `%m/%d/%Y`.
    pub(super) formats: OneOrMore,
    /// The only values that are accepted.
    pub(super) choices: Vec<String>,
    /// Values as the files have them, and as they are sent.
    pub(super) rename: IndexMap<String, String>,
    /// The same as a CSV file of two columns, beside the config.
    pub(super) rename_file: Option<String>,
    /// A record without it is an error.
    pub(super) required: bool,
    /// In characters.
    pub(super) min_length: Option<usize>,
    /// In characters.
    pub(super) max_length: Option<usize>,
    /// Regular expression that the whole value matches.
    pub(super) pattern: Option<String>,
    pub(super) part: Option<NamePart>,
    /// Leave the field out where it has no value; the default.
    pub(super) omit_empty: Option<bool>,
    /// A dot in the name is a part of it, and makes no nested object.
    pub(super) flat: bool,
    /// Its name on the platform, for `caseload setup`.
    pub(super) lexamica: Option<String>,
}

/// Where the ledger is, which records what was imported.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LedgerSection {
    /// Its file, relative to the config.
    pub(crate) path: Option<PathBuf>,
    /// The address of a `PostgreSQL` server, without a password.
    pub(crate) url: Option<String>,
    /// The only ledger to accept.
    pub(crate) id: Option<String>,
    /// Payloads stay in the ledger after the import.
    pub(crate) keep_payloads: bool,
}

/// The platform as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PlatformSection {
    /// A link to a case: `https://…` with `{case_id}` in it.
    pub(crate) case_url: Option<String>,
}

/// Events that the platform posts, for `caseload setup` and `caseload listen`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebhookSection {
    /// Where the platform posts to, without the events' names.
    pub(crate) public_url: Option<String>,
    /// File of the secrets that deliveries are signed with, relative to the config.
    pub(crate) secrets: Option<PathBuf>,
    /// Header with the signature of a delivery.
    pub(crate) signature_header: Option<String>,
    /// Header with the id of a delivery.
    pub(crate) delivery_id_header: Option<String>,
    /// Dotted path of the case's id in an event.
    pub(crate) case_id_field: Option<String>,
    /// Dotted path of an update's title.
    pub(crate) title_field: Option<String>,
    /// Dotted path of an update's text.
    pub(crate) content_field: Option<String>,
    /// Dotted path of an event's date.
    pub(crate) date_field: Option<String>,
    /// Dotted path of the stage.
    pub(crate) stage_field: Option<String>,
    /// Dotted path of a settlement's amount.
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

impl JsonSchema for OneOrMore {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMore".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "array"],
            "minLength": 1,
            "items": { "type": "string", "minLength": 1 },
            "minItems": 1,
            "uniqueItems": true,
        })
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
