//! The partner firm of a record: a name of the table, an id, or the default.

use std::borrow::Cow;

use foldhash::HashMap;

use crate::model::{
    Cell, CellKind, Code, Record, is_placeholder, is_rounded_number, without_invisible,
};

use super::columns::Binding;
use super::names;
use super::options::MappingOptions;
use super::problems::{Problems, ROUNDED};
use super::rules::{RuleErrors, Rules};
use super::values::ValueError;

/// No id has more characters.
const MAX_ID: usize = 200;

/// The partner firms of the config.
#[derive(Debug, Default)]
pub(super) struct PartnerFirms {
    /// The id of each name and each id; empty without a table.
    ids: HashMap<Box<str>, Box<str>>,
    /// Names in the config's order, for suggestions.
    names: Vec<Box<str>>,
    pub(super) default: Option<Box<str>>,
}

impl PartnerFirms {
    pub(super) fn compile(options: &MappingOptions, errors: &mut RuleErrors) -> Self {
        let mut firms = Self::default();
        let mut error = |message: String| errors.push("partner_firms", message);
        for (name, id) in &options.partner_firms {
            let (name, id) = (visible(name), visible(id));
            if name.is_empty() {
                error("a partner firm without a name".to_owned());
            } else if can_be_firm_id(&id) {
                firms.names.push((&*name).into());
            } else {
                error(format!(
                    "partner firm \"{name}\": \"{id}\" is not a valid id"
                ));
            }
        }
        let ids = options.partner_firms.iter().map(|(_, id)| (id, id));
        let names = options.partner_firms.iter().map(|(name, id)| (name, id));
        for (text, id) in names.chain(ids) {
            let (text, id) = (&*visible(text), &*visible(id));
            let known = firms.ids.insert(text.into(), id.into());
            if let Some(known) = known.filter(|known| **known != *id) {
                error(format!(
                    "\"{text}\" stands for two partner firms: \"{known}\" and \"{id}\""
                ));
            }
        }
        if let Some(text) = options.default_partner_firm.as_deref().map(visible) {
            firms.default = match firms.ids.get(&*text) {
                Some(id) => Some(id.clone()),
                None if can_be_firm_id(&text) => Some((*text).into()),
                None => {
                    error(format!("default partner firm \"{text}\" is not a valid id"));
                    None
                }
            };
        }
        firms
    }

    /// The id that a filled cell names.
    pub(super) fn id_of<'a>(&'a self, cell: Cell<'a>) -> Result<Cow<'a, str>, ValueError> {
        if cell.kind == CellKind::Json {
            let message = "nested JSON where a partner firm is expected";
            return Err(ValueError::new(Code::NestedValue, message));
        }
        let text = visible(cell.text);
        if let Some(id) = self.ids.get(&*text) {
            return Ok(Cow::Borrowed(id));
        }
        if self.ids.is_empty() && can_be_firm_id(&text) {
            return Ok(text);
        }
        let bad = |message| ValueError::new(Code::BadPartnerFirm, message);
        Err(if is_placeholder(&text) {
            bad("a placeholder instead of a partner firm")
                .hint("write the firm's id; a lookup formula may have found nothing")
        } else if is_rounded_number(&text) {
            bad("a number that a spreadsheet has rounded").hint(ROUNDED)
        } else if self.ids.is_empty() {
            bad("not a valid partner firm id")
                .hint("use the firm's id, or list names with their ids under [partner_firms]")
        } else {
            let error = ValueError::new(Code::UnknownPartnerFirm, "unknown partner firm");
            match names::did_you_mean(&text, self.names.iter().map(AsRef::as_ref)) {
                Some(hint) => error.hint(hint),
                None => error.hint("add it to [partner_firms] with the firm's id"),
            }
        })
    }
}

/// Writes the id of a record's partner firm, and says whether it is the default.
pub(super) fn read_firm(
    rules: &Rules,
    binding: &Binding,
    record: &Record<'_>,
    problems: &mut Problems<'_>,
    out: &mut String,
) -> bool {
    let mut named: Option<&str> = None;
    out.clear();
    for (path, column) in &binding.firms {
        let value = path.find(record);
        let cell = value.cell();
        problems.warn_invisible(column, cell, "removed");
        if cell.is_blank() || visible(cell.text).is_empty() {
            continue;
        }
        match (rules.firms.id_of(cell), named) {
            (Err(error), _) => problems.error(column, cell, error),
            (Ok(id), Some(other)) if *id != **out => {
                let message = format!("differs from the partner firm in {other}");
                let error = ValueError::new(Code::TargetConflict, message);
                problems.error(column, cell, error);
            }
            (Ok(id), _) => {
                out.clear();
                out.push_str(&id);
            }
        }
        named.get_or_insert(column);
    }
    if named.is_some() {
        return false;
    }
    if let Some(id) = &rules.firms.default {
        out.push_str(id);
    } else if !rules.options.allow_drafts {
        let (column, message) = match binding.firms.first() {
            Some((path, column)) if path.is_anywhere() => (column.as_str(), "no partner firm"),
            _ => ("", "no partner firm, and no column for it"),
        };
        let error = ValueError::new(Code::MissingPartnerFirm, message)
            .hint("add it to the row, set one for all such rows with --partner-firm-id, or send drafts with --allow-drafts");
        problems.error(column, Cell::default(), error);
    }
    rules.firms.default.is_some()
}

/// Whether a text may be a firm's id: one word, and neither a placeholder nor
/// what a spreadsheet makes of a number, an error or a formula.
pub(crate) fn can_be_firm_id(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['#', '='])
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && !is_placeholder(text)
        && !is_rounded_number(text)
        && text.chars().count() <= MAX_ID
}

/// A text as it is compared: what nobody sees makes no other firm.
fn visible(text: &str) -> Cow<'_, str> {
    match without_invisible(text) {
        Cow::Borrowed(text) => text.trim().into(),
        Cow::Owned(text) => text.trim().to_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::rules::RuleError;

    fn firms(table: &[(&str, &str)], default: Option<&str>) -> (PartnerFirms, Vec<RuleError>) {
        let options = MappingOptions {
            partner_firms: table
                .iter()
                .map(|(name, id)| ((*name).to_owned(), (*id).to_owned()))
                .collect(),
            default_partner_firm: default.map(str::to_owned),
            ..MappingOptions::default()
        };
        let mut errors = RuleErrors::default();
        (PartnerFirms::compile(&options, &mut errors), errors.list)
    }

    #[test]
    fn with_a_table_only_its_names_and_ids_are_accepted() {
        let (firms, errors) = firms(
            &[("Smith & Partners", "firm_1"), ("Doe LLP", "firm_2")],
            None,
        );
        assert_eq!(errors, []);
        let id = |text| {
            firms
                .id_of(Cell::text(text))
                .map_err(|fault| (fault.code, fault.hint))
        };
        assert_eq!(id(" Smith & Partners "), Ok("firm_1".into()));
        assert_eq!(id("firm_2"), Ok("firm_2".into()));
        let (code, hint) = id("smith & partners").unwrap_err();
        assert_eq!(code, Code::UnknownPartnerFirm);
        assert_eq!(hint.unwrap(), "did you mean \"Smith & Partners\"?");
        assert_eq!(id("firm_3").unwrap_err().0, Code::UnknownPartnerFirm);
    }

    #[test]
    fn without_a_table_an_id_is_one_word() {
        let (firms, _) = firms(&[], None);
        for text in ["firm_1", "64f0c2", "a-b", "12"] {
            assert_eq!(firms.id_of(Cell::text(text)), Ok(text.into()));
        }
        for text in [
            "Smith & Partners",
            "N/A",
            "-",
            "none",
            "null",
            "TBD",
            "#N/A",
            "#REF!",
            "=VLOOKUP(A2,PartnerFirms,2)",
            "?",
        ] {
            assert_eq!(
                firms.id_of(Cell::text(text)).unwrap_err().code,
                Code::BadPartnerFirm,
                "{text}"
            );
        }
    }

    #[test]
    fn an_ambiguous_table_is_refused() {
        assert_eq!(firms(&[("A", "x"), ("x", "y")], None).1.len(), 1);
        assert_eq!(firms(&[("A", "x"), ("A", "y")], None).1.len(), 1);
        assert_eq!(firms(&[("A", "")], None).1.len(), 1);
        assert_eq!(firms(&[("A", "x"), ("B", "x")], Some("B")).1, []);
        assert_eq!(
            firms(&[("A", "x")], Some("A")).0.default.as_deref(),
            Some("x")
        );
        assert_eq!(firms(&[], Some("Smith & Partners")).1.len(), 1);
    }
}
