//! A case as it was mapped, and what tells it from another.

use crate::model::{Digest, Hasher};

use super::bind::Passthrough;
use super::mapper::Mapper;

/// A case as it was mapped, until the mapper's next record.
#[derive(Debug, Clone, Copy)]
pub struct MappedCase<'m> {
    /// The key's canonical text; none where no key columns are set.
    pub key: Option<&'m str>,
    /// The handling firm's id; none makes a draft.
    pub firm: Option<&'m str>,
    /// The record named no firm and took the default.
    pub firm_from_default: bool,
    /// The text of one JSON object, never with `partnerFirmId`.
    pub payload: &'m str,
    pub(super) mapper: &'m Mapper,
}

impl MappedCase<'_> {
    /// Of payload and firm: differs when what would be sent differs. The order
    /// of the columns makes no difference.
    pub fn payload_digest(&self) -> Digest {
        self.digest(|_| true)
    }

    /// Of the payload without what is made of key columns alone, and the firm.
    pub fn content_digest(&self) -> Digest {
        let fields = &self.mapper.rules.fields;
        let through = &self.mapper.binding.through;
        self.digest(|part| match part.checked_sub(fields.len()) {
            None => !fields[part].is_key,
            Some(column) => !matches!(through[column], Passthrough::Yes { is_key: true, .. }),
        })
    }

    fn digest(&self, is_part: impl Fn(usize) -> bool) -> Digest {
        let Mapper {
            rules,
            binding,
            spans,
            ..
        } = self.mapper;
        // Pieces are joined first: one long write is faster than many short.
        let mut canonical = self.mapper.canonical.borrow_mut();
        canonical.clear();
        for &part in &binding.digest_order {
            let (start, end) = spans[part];
            if start == end || !is_part(part) {
                continue;
            }
            let name = match part.checked_sub(rules.fields.len()) {
                None => &*rules.fields[part].path,
                Some(column) => match &binding.through[column] {
                    Passthrough::Yes { name, .. } => name,
                    _ => continue,
                },
            };
            canonical.extend_from_slice(name.as_bytes());
            canonical.extend_from_slice(&self.payload.as_bytes()[start..end]);
            canonical.push(b',');
        }
        if let Some(firm) = self.firm {
            canonical.push(b'@');
            canonical.extend_from_slice(firm.as_bytes());
        }
        let mut hasher = Hasher::new();
        hasher.write(&canonical);
        hasher.finish()
    }
}
