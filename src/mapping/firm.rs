//! The partner firm of a record: a name of the table, an id, or the default.

use std::collections::HashMap;

use crate::model::{Cell, CellKind, Code};

use super::compile::RuleError;
use super::options::MappingOptions;
use super::suggest;
use super::values::ValueError;

/// The firms that people may name.
#[derive(Debug, Default)]
pub(super) struct PartnerFirms {
    /// Names and ids, each to an id; empty without a table.
    ids: HashMap<Box<str>, Box<str>>,
    /// Names in the config's order, for suggestions.
    names: Vec<Box<str>>,
    pub(super) default: Option<Box<str>>,
}

impl PartnerFirms {
    pub(super) fn new(options: &MappingOptions, errors: &mut Vec<RuleError>) -> Self {
        let mut firms = Self::default();
        let mut fault = |message: String| {
            errors.push(RuleError {
                field: None,
                setting: "partner_firms",
                message,
                line: None,
            });
        };
        for (name, id) in &options.partner_firms {
            let (name, id) = (name.trim(), id.trim());
            if name.is_empty() {
                fault("a partner firm without a name".to_owned());
            } else if !can_be_id(id) {
                fault(format!(
                    "\"{id}\" of the partner firm \"{name}\" can't be an id; put the firm's id there"
                ));
            } else if firms.ids.get(name).is_some_and(|known| **known != *id) {
                fault(format!("the partner firm \"{name}\" has two ids"));
            } else {
                firms.ids.insert(name.into(), id.into());
                firms.names.push(name.into());
            }
        }
        for (_, id) in &options.partner_firms {
            let id = id.trim();
            // A name that is another firm's id would send cases to one of two.
            if firms.ids.get(id).is_some_and(|known| **known != *id) {
                fault(format!(
                    "\"{id}\" is the name of one partner firm and the id of another"
                ));
            } else {
                firms.ids.insert(id.into(), id.into());
            }
        }
        firms.default = options.default_partner_firm.as_deref().and_then(|text| {
            let text = text.trim();
            let id = firms.ids.get(text).cloned();
            let id = id.or_else(|| can_be_id(text).then(|| text.into()));
            if id.is_none() {
                fault(format!(
                    "the default partner firm \"{text}\" can't be an id"
                ));
            }
            id
        });
        firms
    }

    /// The id that a filled cell names.
    pub(super) fn id_of<'a>(&'a self, cell: Cell<'a>) -> Result<&'a str, ValueError> {
        if cell.kind == CellKind::Json {
            return Err(ValueError::new(
                Code::NestedValue,
                "a nested value where a partner firm is needed",
            ));
        }
        let text = cell.text.trim();
        if !self.ids.is_empty() {
            return self.ids.get(text).map(AsRef::as_ref).ok_or_else(|| {
                let fault = ValueError::new(
                    Code::UnknownPartnerFirm,
                    "neither a name nor an id of the [partner_firms] table",
                );
                match suggest::did_you_mean(text, self.names.iter().map(AsRef::as_ref)) {
                    Some(hint) => fault.hint(hint),
                    None => fault.hint("add it to [partner_firms] with the firm's id"),
                }
            });
        }
        if can_be_id(text) {
            Ok(text)
        } else {
            Err(
                ValueError::new(Code::BadPartnerFirm, "can't be a partner firm's id").hint(
                    "put the firm's id there, or list names with their ids under [partner_firms]",
                ),
            )
        }
    }
}

/// Whether a text may be a firm's id: one word, and neither one that means
/// "nothing" nor a spreadsheet's error or formula.
pub fn can_be_id(text: &str) -> bool {
    const NOTHING: [&str; 12] = [
        "n/a",
        "na",
        "none",
        "null",
        "nil",
        "tbd",
        "tba",
        "unknown",
        "undefined",
        "false",
        "true",
        "n.a.",
    ];
    !text.is_empty()
        && !text.starts_with(['#', '='])
        && is_word(text)
        && !NOTHING.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn is_word(text: &str) -> bool {
    // The same said of bytes, for the ids that there mostly are.
    if text.is_ascii() {
        return text.bytes().all(|byte| byte.is_ascii_graphic())
            && text.bytes().any(|byte| byte.is_ascii_alphanumeric());
    }
    text.chars().any(char::is_alphanumeric)
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firms(table: &[(&str, &str)], default: Option<&str>) -> (PartnerFirms, Vec<RuleError>) {
        let options = MappingOptions {
            partner_firms: table
                .iter()
                .map(|(name, id)| ((*name).to_owned(), (*id).to_owned()))
                .collect(),
            default_partner_firm: default.map(str::to_owned),
            ..MappingOptions::default()
        };
        let mut errors = Vec::new();
        (PartnerFirms::new(&options, &mut errors), errors)
    }

    #[test]
    fn a_table_takes_its_names_and_ids_and_nothing_else() {
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
        assert_eq!(id(" Smith & Partners "), Ok("firm_1"));
        assert_eq!(id("firm_2"), Ok("firm_2"));
        let (code, hint) = id("smith & partners").unwrap_err();
        assert_eq!(code, Code::UnknownPartnerFirm);
        assert_eq!(hint.unwrap(), "did you mean \"Smith & Partners\"?");
        assert_eq!(id("firm_3").unwrap_err().0, Code::UnknownPartnerFirm);
    }

    #[test]
    fn without_a_table_an_id_is_one_word() {
        let (firms, _) = firms(&[], None);
        for text in ["firm_1", "64f0c2", "a-b", "12"] {
            assert_eq!(firms.id_of(Cell::text(text)), Ok(text));
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
    fn a_table_with_two_meanings_is_refused() {
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
