//! Settings that a command writes into the config: comments and layout stay.

use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, value};

use super::ConfigError;
use crate::model::replace_file;

/// Sets texts of `[api]`, in one step.
pub(crate) fn set_api(path: &Path, settings: &[(&str, &str)]) -> Result<(), ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let edited = with_api(&text, settings)
        .map_err(|error| ConfigError::Invalid(format!("{}: {error}", path.display())))?;
    let unwritable = |source| ConfigError::Unwritable {
        path: path.to_owned(),
        source,
    };
    replace_file(path, &edited).map_err(unwritable)
}

fn with_api(text: &str, settings: &[(&str, &str)]) -> Result<String, toml_edit::TomlError> {
    // Notepad begins a file with a byte order mark.
    let (mark, text) = match text.strip_prefix('\u{feff}') {
        Some(text) => ("\u{feff}", text),
        None => ("", text),
    };
    let mut document: DocumentMut = text.parse()?;
    let api = document
        .entry("api")
        .or_insert_with(|| Item::Table(Table::new()));
    for (name, text) in settings {
        // What stands behind the old value stays.
        match api.get_mut(*name).and_then(Item::as_value_mut) {
            Some(old) => {
                let decor = old.decor().clone();
                *old = (*text).into();
                *old.decor_mut() = decor;
            }
            None => api[*name] = value(*text),
        }
    }
    Ok(format!("{mark}{document}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str) -> String {
        with_api(text, &[("map_id", "m 2"), ("case_id_field", "c")]).unwrap()
    }

    #[test]
    fn comments_and_layout_stay() {
        let text = "\
# ours
[api]   # the platform
base_url = 'https://x'
map_id = \"m1\"  # old

[case]
key = [ \"Lead ID\" ]
";
        let expected = "\
# ours
[api]   # the platform
base_url = 'https://x'
map_id = \"m 2\"  # old
case_id_field = \"c\"

[case]
key = [ \"Lead ID\" ]
";
        assert_eq!(edited(text), expected);
    }

    #[test]
    fn a_config_without_the_table_gets_it() {
        assert_eq!(
            edited(""),
            "[api]\nmap_id = \"m 2\"\ncase_id_field = \"c\"\n"
        );
        let marked = "\u{feff}[case]\nkey = \"a\"\n";
        let text = edited(marked);
        assert!(text.starts_with(marked), "{text}");
        assert!(
            text.ends_with("[api]\nmap_id = \"m 2\"\ncase_id_field = \"c\"\n"),
            "{text}"
        );
        let dotted = edited("api.base_url = \"https://x\"\n");
        assert!(dotted.contains("map_id = \"m 2\""), "{dotted}");
        assert!(with_api("[api", &[]).is_err());
    }
}
