//! The same person with the same incident under two keys: matched by name,
//! incident date, and phone or e-mail, in columns recognized by their names.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::{FixedState, FoldHasher};

use crate::mapping::names::{self, folded};
use crate::model::{Columns, ColumnsVersion, Record};

/// The columns of one file that identify the person of a case.
#[derive(Debug, Default)]
pub(super) struct PersonColumns {
    bound: ColumnsVersion,
    first: Option<usize>,
    last: Option<usize>,
    full: Option<usize>,
    phone: Option<usize>,
    email: Option<usize>,
    date: Option<usize>,
}

impl PersonColumns {
    /// Hashes of name, date and phone, and of name, date and e-mail; none
    /// where one of them is not filled.
    pub(super) fn hashes(&mut self, record: &Record<'_>) -> [Option<u64>; 2] {
        self.bind(record.columns);
        let Some(date) = self.date else {
            return [None, None];
        };
        let date = record.cell(date);
        if date.is_blank() {
            return [None, None];
        }
        // The same key in every thread, so that hashes compare.
        let mut hasher = FixedState::default().build_hasher();
        let mut named = false;
        for column in [self.first, self.last, self.full].into_iter().flatten() {
            named |= hash_letters(record.cell(column).text, &mut hasher);
        }
        if !named {
            return [None, None];
        }
        hash_letters(date.text, &mut hasher);
        // Compared in one table, so a phone must not pass for an e-mail.
        [(self.phone, 0), (self.email, 1)].map(|(column, kind)| {
            let mut hasher = hasher.clone();
            hasher.write_u8(kind);
            hash_letters(record.cell(column?).text, &mut hasher).then(|| hasher.finish())
        })
    }

    fn bind(&mut self, columns: &Columns) {
        let version = columns.version();
        if self.bound == version {
            return;
        }
        let folded: Vec<String> = columns.names().map(folded).collect();
        let find = |names: &str| {
            names
                .split(' ')
                .find_map(|name| folded.iter().position(|column| column == name))
        };
        *self = Self {
            bound: version,
            first: find(names::FIRST_NAME),
            last: find(names::LAST_NAME),
            full: find(names::FULL_NAME),
            phone: find(names::PHONE),
            email: find(names::EMAIL),
            date: find(names::INCIDENT_DATE),
        };
    }
}

/// Feeds letters and digits in lower case; false when there were none.
fn hash_letters(text: &str, hasher: &mut FoldHasher<'_>) -> bool {
    let mut any = false;
    let mut buffer = [0_u8; 64];
    let mut filled = 0;
    for byte in text
        .bytes()
        .filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
    {
        any = true;
        buffer[filled] = byte.to_ascii_lowercase();
        filled += 1;
        if filled == buffer.len() {
            hasher.write(&buffer);
            filled = 0;
        }
    }
    hasher.write(&buffer[..filled]);
    hasher.write_u8(0xff);
    any
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cell, Place};

    fn hashes(cells: [&str; 5]) -> [Option<u64>; 2] {
        let columns =
            Columns::from_names(["First Name", "last_name", "Cell", "E-Mail", "Date of Loss"]);
        let cells: Vec<Cell<'_>> = cells.into_iter().map(Cell::text).collect();
        PersonColumns::default().hashes(&Record {
            place: Place::default(),
            columns: &columns,
            cells: &cells,
            json: None,
        })
    }

    #[test]
    fn spelling_makes_no_difference_but_content_does() {
        let one = hashes(["Ann", "O'Neil", "(702) 555-0101", "a@x.example", "1/2/26"]);
        let same = hashes(["ANN", "ONeil", "702-555-0101", "A@x.example", "1/2/26"]);
        let other = hashes(["Ann", "O'Neil", "702-555-0102", "", "1/2/26"]);
        assert_eq!(one, same);
        assert_ne!(one[0], other[0]);
        assert_eq!(other[1], None, "an empty e-mail matches nobody");
        assert_eq!(hashes(["", "", "7025550101", "", "1/2/26"]), [None, None]);
        assert_eq!(hashes(["Ann", "Lee", "7025550101", "", ""]), [None, None]);
    }
}
