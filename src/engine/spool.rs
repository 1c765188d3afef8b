//! The temporary file that holds what a run will send.
//!
//! Unlinked and readable by its owner only: the input may change or go away
//! meanwhile, memory stays flat, and nothing is left behind.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use crate::model::{CaseData, Digest, FileId, Key, Place};

/// Where a case stands in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(u64);

/// Cases being written.
#[derive(Debug)]
pub(super) struct Spool {
    file: BufWriter<File>,
    length: u64,
}

/// Cases being read back.
#[derive(Debug)]
pub struct Spooled {
    file: File,
    buffer: Vec<u8>,
}

const WRITE_BUFFER: usize = 256 * 1024;
/// Length of the whole entry; place, digests; then the texts.
const HEAD: usize = 4;
const FIXED: usize = 2 + 8 + 8 + 3 * 16;

impl Spool {
    /// An empty one, in the system's folder for temporary files.
    pub(super) fn create() -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::with_capacity(WRITE_BUFFER, tempfile::tempfile()?),
            length: 0,
        })
    }

    /// Adds a case.
    pub(super) fn write(&mut self, case: &CaseData) -> io::Result<Slot> {
        let slot = Slot(self.length);
        let texts = [
            Some(case.key.canonical()),
            case.partner_firm.as_deref(),
            Some(&*case.payload),
            Some(&*case.raw),
        ];
        let length: usize = FIXED
            + texts
                .iter()
                .map(|text| 5 + text.map_or(0, str::len))
                .sum::<usize>();
        let length =
            u32::try_from(length).map_err(|_| io::Error::other("a case is larger than 4 GiB"))?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&case.place.file.0.to_le_bytes())?;
        self.file.write_all(&case.place.line.to_le_bytes())?;
        self.file.write_all(&case.place.index.to_le_bytes())?;
        for digest in [case.payload_digest, case.content_digest, case.record_digest] {
            self.file.write_all(&digest.0)?;
        }
        for text in texts {
            self.file.write_all(&[u8::from(text.is_some())])?;
            let text = text.unwrap_or_default();
            self.file.write_all(&(text.len() as u32).to_le_bytes())?;
            self.file.write_all(text.as_bytes())?;
        }
        self.length += HEAD as u64 + u64::from(length);
        Ok(slot)
    }

    /// Ends the writing.
    pub(super) fn finish(self) -> io::Result<Spooled> {
        Ok(Spooled {
            file: self
                .file
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?,
            buffer: Vec::new(),
        })
    }
}

impl Spooled {
    /// Reads one case.
    pub fn read(&mut self, slot: Slot) -> io::Result<CaseData> {
        self.file.seek(SeekFrom::Start(slot.0))?;
        let mut head = [0; HEAD];
        self.file.read_exact(&mut head)?;
        self.buffer.resize(u32::from_le_bytes(head) as usize, 0);
        self.file.read_exact(&mut self.buffer)?;
        decode(&self.buffer).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the spool file was changed while the run was going on",
            )
        })
    }
}

fn decode(bytes: &[u8]) -> Option<CaseData> {
    let mut rest = bytes;
    let place = Place {
        file: FileId(u16::from_le_bytes(take(&mut rest)?)),
        line: u64::from_le_bytes(take(&mut rest)?),
        index: u64::from_le_bytes(take(&mut rest)?),
    };
    let payload_digest = Digest(take(&mut rest)?);
    let content_digest = Digest(take(&mut rest)?);
    let record_digest = Digest(take(&mut rest)?);
    Some(CaseData {
        place,
        payload_digest,
        content_digest,
        record_digest,
        key: Key::parse(text(&mut rest)?.1).ok()?,
        partner_firm: match text(&mut rest)? {
            (true, firm) => Some(firm.into()),
            (false, _) => None,
        },
        payload: text(&mut rest)?.1.into(),
        raw: text(&mut rest)?.1.into(),
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*taken)
}

/// A text and whether it was there at all.
fn text<'a>(rest: &mut &'a [u8]) -> Option<(bool, &'a str)> {
    let [there] = take(rest)?;
    let length = u32::from_le_bytes(take(rest)?) as usize;
    let (text, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some((there == 1, std::str::from_utf8(text).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn case(key: &str, firm: Option<&str>, payload: &str, raw: &str) -> CaseData {
        CaseData {
            key: Key::new([key]),
            place: Place {
                file: FileId(3),
                line: 1 << 40,
                index: 9,
            },
            partner_firm: firm.map(Into::into),
            payload: payload.into(),
            raw: raw.into(),
            payload_digest: Digest::of(b"p"),
            content_digest: Digest::of(b"c"),
            record_digest: Digest::of(b"r"),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_comes_back_in_any_order(
            texts in prop::collection::vec(("[a-z0-9\"]{1,8}", any::<Option<String>>(), ".*", ".*"), 1..8),
        ) {
            let cases: Vec<CaseData> = texts
                .iter()
                .map(|(key, firm, payload, raw)| case(key, firm.as_deref(), payload, raw))
                .collect();
            let mut spool = Spool::create().unwrap();
            let slots: Vec<Slot> = cases.iter().map(|case| spool.write(case).unwrap()).collect();
            let mut spooled = spool.finish().unwrap();
            for (slot, case) in slots.into_iter().zip(&cases).rev() {
                prop_assert_eq!(&spooled.read(slot).unwrap(), case);
            }
        }
    }
}
