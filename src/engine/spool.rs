//! The temporary file of the cases that a run will send.
//!
//! It has no name and only its owner can read it: the input may change or
//! disappear meanwhile, memory stays flat, and nothing is left behind. Each case
//! is in the format of `postcard`, after its length in four bytes.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::model::CaseData;

/// The position of a case in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(u64);

#[derive(Debug)]
pub(crate) struct Spool {
    file: BufWriter<File>,
    length: u64,
    buffer: Vec<u8>,
}

const WRITE_BUFFER: usize = 256 * 1024;

impl Spool {
    /// Creates an empty one in a folder that is not in memory: `/tmp` often is.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        Ok(Self {
            file: BufWriter::with_capacity(WRITE_BUFFER, file),
            length: 0,
            buffer: Vec::new(),
        })
    }

    pub(super) fn write(&mut self, case: &CaseData) -> io::Result<Slot> {
        self.buffer.clear();
        self.buffer = postcard::to_extend(case, std::mem::take(&mut self.buffer))
            .map_err(io::Error::other)?;
        let length = u32::try_from(self.buffer.len())
            .map_err(|_| io::Error::other("a case is larger than 4 GiB"))?;
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&self.buffer)?;
        let slot = Slot(self.length);
        self.length += 4 + u64::from(length);
        Ok(slot)
    }

    pub(crate) fn read(&mut self, slot: Slot) -> io::Result<CaseData> {
        self.file.flush()?;
        let file = self.file.get_ref();
        let mut length = [0; 4];
        file.read_exact_at(&mut length, slot.0)?;
        self.buffer.resize(u32::from_le_bytes(length) as usize, 0);
        file.read_exact_at(&mut self.buffer, slot.0 + 4)?;
        postcard::from_bytes(&self.buffer).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, FileId, Key, Person, Place};
    use proptest::prelude::*;

    fn case(key: &str, firm: Option<&str>, payload: &str, raw: &str) -> CaseData {
        CaseData {
            key: Key::new([key]),
            place: Place {
                file: FileId(3),
                line: 1 << 40,
                row: Some(1 << 39),
                index: 9,
            },
            partner_firm: firm.map(Into::into),
            payload: payload.into(),
            raw_record: raw.into(),
            payload_digest: Digest::of(b"p"),
            content_digest: Some(Digest::of(b"c")),
            record_digest: Digest::of(b"r"),
            person: Person::from_lines("ann"),
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
            let mut spool = Spool::create(&std::env::temp_dir()).unwrap();
            let slots: Vec<Slot> = cases.iter().map(|case| spool.write(case).unwrap()).collect();
            for (slot, case) in slots.into_iter().zip(&cases).rev() {
                prop_assert_eq!(&spool.read(slot).unwrap(), case);
            }
        }
    }
}
