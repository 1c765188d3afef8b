//! `[api]`: what is assumed of the API, where the user knows better.

use toml::de::DeValue;

use super::table::Table;

/// `[api]`; what is not set is the wire's to choose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiSettings {
    /// `base_url`.
    pub base_url: Option<String>,
    /// `org_id`.
    pub org_id: Option<String>,
    /// `map_id`.
    pub map_id: Option<String>,
    /// `path`, a template.
    pub path: Option<String>,
    /// `auth`.
    pub auth: Option<AuthSettings>,
    /// `partner_firm_id_in`.
    pub partner_firm_id_in: Option<FirmPlace>,
    /// `case_id_field`, a dotted path or `none`.
    pub case_id_field: Option<String>,
    /// `not_sent`: answers that mean "not processed".
    pub not_sent: Option<Vec<String>>,
    /// `rejected`: answers that mean "refused, nothing made".
    pub rejected: Option<Vec<String>>,
    /// `paths.mappings`, a template.
    pub mappings_path: Option<String>,
    /// `paths.subscriptions`, a template.
    pub subscriptions_path: Option<String>,
}

/// How the key travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthSettings {
    /// Header or query.
    pub place: AuthPlace,
    /// Name of the header or parameter.
    pub name: Option<String>,
    /// What stands before the key in a header.
    pub prefix: Option<String>,
}

/// Where the key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthPlace {
    /// In a header.
    Header,
    /// In the URL's query.
    Query,
}

/// Where `partnerFirmId` goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirmPlace {
    /// Query and body.
    Both,
    /// The URL's query.
    Query,
    /// The top level of the body.
    Body,
}

pub(super) fn read(table: &Table<'_>) -> ApiSettings {
    let places = [FirmPlace::Both, FirmPlace::Query, FirmPlace::Body];
    let paths = table.table("paths");
    let settings = ApiSettings {
        base_url: table.text("base_url"),
        org_id: table.text("org_id"),
        map_id: table.text("map_id"),
        path: table.text("path"),
        auth: table.table("auth").map(read_auth),
        partner_firm_id_in: table
            .word("partner_firm_id_in", &["both", "query", "body"])
            .map(|at| places[at]),
        case_id_field: table.text("case_id_field"),
        not_sent: answers(table, "not_sent"),
        rejected: answers(table, "rejected"),
        mappings_path: paths.as_ref().and_then(|paths| paths.text("mappings")),
        subscriptions_path: paths.as_ref().and_then(|paths| paths.text("subscriptions")),
    };
    if let Some(paths) = paths {
        paths.finish(&mut std::collections::HashMap::new());
    }
    settings
}

fn read_auth(table: Table<'_>) -> AuthSettings {
    let place = table.word("in", &["header", "query"]);
    let settings = AuthSettings {
        place: if place == Some(1) {
            AuthPlace::Query
        } else {
            AuthPlace::Header
        },
        name: table.text("name"),
        prefix: table.any_text("prefix"),
    };
    if settings.place == AuthPlace::Query {
        if settings.prefix.is_some() {
            table.fault("prefix", "`prefix` is for a header; a query has none");
        }
        if settings.name.is_none() {
            table.fault("in", "`in = \"query\"` needs the parameter's `name`");
        }
    }
    table.finish(&mut std::collections::HashMap::new());
    settings
}

/// A list of answers, which may be empty: `"4xx"`, `"429"`, `503`,
/// `"503+retry-after"`.
fn answers(table: &Table<'_>, name: &'static str) -> Option<Vec<String>> {
    let value = table.value(name)?;
    let Some(array) = value.get_ref().as_array() else {
        table.faults.push(
            value.span(),
            &format!("`{name}` must be a list of answers such as \"429\" or \"4xx\""),
        );
        return None;
    };
    let mut answers = Vec::with_capacity(array.len());
    for value in array {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            _ => String::new(),
        };
        if is_answer(&text) {
            answers.push(text);
        } else {
            table.faults.push(
                value.span(),
                &format!("`{name}` holds answers such as \"429\", \"4xx\" or \"503+retry-after\""),
            );
        }
    }
    Some(answers)
}

fn is_answer(text: &str) -> bool {
    let code = text.strip_suffix("+retry-after").unwrap_or(text);
    match code.as_bytes() {
        [b'1'..=b'5', b'x', b'x'] => true,
        [b'1'..=b'5', rest @ ..] => rest.len() == 2 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}
