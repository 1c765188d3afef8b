//! Refuses workbooks that would fill the memory, before anything reads them.

use std::fs::File;
use std::io::{BufReader, Read};

use memchr::{memchr_iter, memmem};

use super::bytes::Bomb;
use super::{InputErrorKind, Limits};

/// A part smaller than so many records of the largest size does no harm, even if
/// it is a single cell.
const HARMLESS: u64 = 4;
/// How much of the table of texts is searched for their number.
const BEGINNING: u64 = 64 << 10;
/// The shortest text of the table: `<si/>`.
const SHORTEST: u64 = 5;

/// Refuses a workbook that fills the memory: its table of texts goes there as a
/// whole, and so does each cell. Goes by the sizes that it declares, which every
/// reading then holds it to.
pub(super) fn check_size(file: &File, limits: &Limits) -> Result<(), InputErrorKind> {
    let packed = file.metadata().map_err(InputErrorKind::Io)?.len();
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let mut unpacked = 0_u64;
    for number in 0..archive.len() {
        let entry = archive.by_index_raw(number).map_err(damaged)?;
        let is_texts = entry
            .name()
            .is_ok_and(|name| name.to_lowercase().ends_with("sharedstrings.xml"));
        let declared = entry.size();
        drop(entry);
        if is_texts && declared > limits.unpacked {
            return Err(too_many_texts(limits));
        }
        if is_texts {
            let part = archive.by_index(number).map_err(damaged)?;
            if claimed_texts(part, limits)? > declared / SHORTEST {
                return Err(InputErrorKind::Workbook(
                    "it claims more texts than fit into it".to_owned(),
                ));
            }
        }
        unpacked = unpacked.saturating_add(declared);
        if let Some(bomb) = Bomb::of(packed, unpacked, limits) {
            return Err(InputErrorKind::Bomb(bomb));
        }
        if declared > HARMLESS.saturating_mul(limits.record as u64) {
            let part = archive.by_index(number).map_err(damaged)?;
            refuse_long_cell(part, limits)?;
        }
    }
    Ok(())
}

fn damaged(error: impl std::fmt::Display) -> InputErrorKind {
    InputErrorKind::Workbook(error.to_string())
}

fn too_many_texts(limits: &Limits) -> InputErrorKind {
    InputErrorKind::Workbook(format!(
        "its texts are larger than the limit of {} bytes",
        limits.unpacked
    ))
}

/// How many texts the beginning of the table claims. Room for all of them is
/// taken before the first is read.
fn claimed_texts(part: impl Read, limits: &Limits) -> Result<u64, InputErrorKind> {
    let mut beginning = Vec::new();
    part.take(BEGINNING)
        .read_to_end(&mut beginning)
        .map_err(damaged)?;
    if memmem::find(&beginning, b"<si").is_none() && beginning.len() as u64 == BEGINNING {
        return Err(too_many_texts(limits));
    }
    let name = b"uniqueCount";
    let most = memmem::find_iter(&beginning, name).map(|at| {
        let digits = beginning[at + name.len()..]
            .iter()
            .skip_while(|byte| !byte.is_ascii_digit())
            .take_while(|byte| byte.is_ascii_digit());
        digits.fold(0_u64, |number, digit| {
            let digit = u64::from(digit - b'0');
            number.saturating_mul(10).saturating_add(digit)
        })
    });
    Ok(most.max().unwrap_or_default())
}

/// Unpacks a part for nothing but its longest text.
fn refuse_long_cell(mut part: impl Read, limits: &Limits) -> Result<(), InputErrorKind> {
    let mut buffer = vec![0; 64 << 10];
    let mut run = 0;
    loop {
        let count = part.read(&mut buffer).map_err(damaged)?;
        if count == 0 {
            return Ok(());
        }
        let mut from = 0;
        for tag in memchr_iter(b'<', &buffer[..count]) {
            run = 0;
            from = tag;
        }
        run += count - from;
        if run > limits.record {
            return Err(InputErrorKind::Workbook(format!(
                "a cell is larger than the limit of {} bytes",
                limits.record
            )));
        }
    }
}
