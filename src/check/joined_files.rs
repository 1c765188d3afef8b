//! Reads the files that records are joined with, before the case files.

use std::sync::Arc;

use super::{CheckError, CheckOptions};
use crate::input::{self, Input, InputError, Item, ReadOptions};
use crate::mapping::JoinedTable;
use crate::model::{FileId, Problem};

/// The rows of all joined files, and what is wrong with them. Their files are
/// numbered after those of the input.
pub(super) fn read(
    options: &CheckOptions,
) -> Result<(Arc<[JoinedTable]>, Vec<Problem>), CheckError> {
    let (mut tables, mut problems) = (Vec::new(), Vec::new());
    let files = (options.inputs.len() as u16..).map(FileId);
    for (file, (name, join)) in files.zip(&options.rules.options().joins) {
        // Flags are for the case files.
        let with_name = |error: InputError| {
            let error = error.to_string().replace("--header-row", "header_row");
            CheckError::Join(format!("[join.{name}] {error}"))
        };
        let read = ReadOptions {
            sheet: join.sheet.clone(),
            header_row: join.header_row,
            temporary_folder: options.read.temporary_folder,
            ..ReadOptions::default()
        };
        let input = Input::Path(join.file.clone());
        let mut reader = input::open(&input, file, &read).map_err(with_name)?;
        problems.extend(reader.problems());
        let (mut parser, mut table) = (reader.parser(), JoinedTable::new(name, join));
        let mut rows = 0;
        while let Some(chunk) = reader.next_chunk().map_err(with_name)? {
            rows += chunk.len();
            parser.parse(&chunk, &mut |item| match item {
                Item::Record(record) => table.add(&record, &options.rules),
                Item::Problem(problem, _) | Item::Lost(problem) => problems.push(problem),
            });
        }
        if rows == 0 {
            let error = format!("[join.{name}] {}: it has no rows", input.name());
            return Err(CheckError::Join(error));
        }
        problems.extend(table.rows_without_id());
        tables.push(table);
    }
    Ok((tables.into(), problems))
}
