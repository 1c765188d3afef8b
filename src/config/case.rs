//! `[case]` and `[partner_firms]`: what names a case, and who handles it.

use std::path::Path;

use super::Config;
use super::code_table;
use super::table::Table;

pub(super) fn read(root: &Table<'_>, has_fields: bool, folder: &Path, config: &mut Config) {
    let options = &mut config.mapping;
    if let Some(firms) = root.table("partner_firms") {
        // As `init` leaves them: each told on its own line.
        for entry in firms.entries() {
            if entry
                .value
                .get_ref()
                .as_str()
                .is_some_and(|id| id.trim().is_empty())
            {
                let message = format!(
                    "the partner firm \"{}\" has no id yet; put it between the quotes",
                    entry.name
                );
                firms.faults.push(entry.value.span(), &message);
            }
        }
        options.partner_firms = firms.pairs();
    }
    options.passthrough = !has_fields;
    let Some(table) = root.table("case") else {
        return;
    };
    if let Some(key) = table.texts("key", true) {
        options.key = key;
        if let Some(twice) = (1..options.key.len())
            .map(|at| options.key.split_at(at))
            .find_map(|(before, rest)| before.contains(&rest[0]).then_some(&rest[0]))
        {
            table.fault("key", &format!("`key` names \"{twice}\" twice"));
        }
        if options.key.iter().any(|column| column.trim().is_empty()) {
            table.fault("key", "`key` is empty");
        }
    }
    options.partner_firm_column = table.text("partner_firm");
    match table.flag("passthrough") {
        Some(false) if !has_fields => {
            table.fault("passthrough", "without [fields] nothing would be sent; name the fields or leave `passthrough` out");
        }
        Some(passthrough) => options.passthrough = passthrough,
        None => {}
    }
    if let Some(file) = table.text("partner_firms_file") {
        match code_table::read(&folder.join(&file)) {
            Ok(pairs) => {
                code_table::merge(
                    &table,
                    "partner_firms_file",
                    &mut options.partner_firms,
                    pairs,
                );
            }
            Err(code_table::Unread::File(message)) => table.fault("partner_firms_file", &message),
            Err(code_table::Unread::Lines(faults)) => table.faults.extend(faults),
        }
    }
    table.finish(&mut config.lines);
}
