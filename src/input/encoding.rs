//! What encoding a file has, and its text as UTF-8.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::InputErrorKind;
use super::bytes::Bytes;

/// The encoding of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detected {
    pub(super) encoding: &'static Encoding,
    /// Length of the byte order mark.
    mark: usize,
    /// Neither by a mark, nor as valid UTF-8, nor named by the user.
    pub(super) guessed: bool,
}

/// The named encoding, or the one of the first bytes. A file that is not UTF-8
/// from its first block on is Windows-1252, as Excel writes it; later in the
/// file nothing is guessed.
pub(super) fn detect(head: &[u8], named: Option<&str>) -> Result<Detected, InputErrorKind> {
    let marked = Encoding::for_bom(head);
    if let Some(name) = named {
        let encoding = Encoding::for_label(name.trim().as_bytes())
            .filter(|encoding| encoding.name() != "replacement")
            .ok_or_else(|| InputErrorKind::UnknownEncoding(name.to_owned()))?;
        // "utf-16" alone means little endian; the mark knows better.
        let (encoding, mark) = match marked {
            Some((by_mark, mark)) if by_mark == encoding || name.eq_ignore_ascii_case("utf-16") => {
                (by_mark, mark)
            }
            _ => (encoding, 0),
        };
        return Ok(Detected {
            encoding,
            mark,
            guessed: false,
        });
    }
    if let Some((encoding, mark)) = marked {
        return Ok(Detected {
            encoding,
            mark,
            guessed: false,
        });
    }
    let (encoding, guessed) = if let Some(encoding) = utf_16_by_nuls(head) {
        (encoding, true)
    } else if is_utf_8_so_far(head) {
        (UTF_8, false)
    } else if head.contains(&0) {
        return Err(InputErrorKind::Binary);
    } else {
        (WINDOWS_1252, true)
    };
    Ok(Detected {
        encoding,
        mark: 0,
        guessed,
    })
}

fn is_utf_8_so_far(head: &[u8]) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        // A character that the block's end cut in two.
        Err(error) => error.error_len().is_none() && head.len() - error.valid_up_to() < 4,
    }
}

/// Western text in UTF-16 has a NUL in nearly every other byte.
fn utf_16_by_nuls(head: &[u8]) -> Option<&'static Encoding> {
    let pairs = head.len() / 2;
    let nuls = |parity: usize| {
        head[..pairs * 2]
            .iter()
            .skip(parity)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd) = (nuls(0), nuls(1));
    if pairs >= 2 && odd * 10 >= pairs * 7 && even * 10 <= pairs {
        Some(UTF_16LE)
    } else if pairs >= 2 && even * 10 >= pairs * 7 && odd * 10 <= pairs {
        Some(UTF_16BE)
    } else {
        None
    }
}

impl Detected {
    /// The text of `head` and what follows it. Bytes that are not text in the
    /// encoding become bytes that are not text in UTF-8 either, so that the
    /// parser finds them in their record.
    pub(super) fn text(self, mut head: Vec<u8>, rest: Bytes) -> Bytes {
        head.drain(..self.mark);
        let whole = io::Cursor::new(head).chain(rest);
        if self.encoding == UTF_8 {
            return Box::new(whole);
        }
        Box::new(Transcoded {
            source: whole,
            code_page: self.encoding.name().starts_with("windows-"),
            decoder: self.encoding.new_decoder_without_bom_handling(),
            input: vec![0; 64 << 10],
            pending: 0..0,
            ended: false,
            text: Vec::new(),
            taken: 0,
            finished: false,
        })
    }

    /// The beginning of the text, for a look at it.
    pub(super) fn preview(self, head: &[u8]) -> String {
        let (text, _) = self
            .encoding
            .decode_without_bom_handling(&head[self.mark..]);
        text.into_owned()
    }
}

/// Text in another encoding, as UTF-8.
struct Transcoded<R> {
    source: R,
    /// Whether it is one of Windows' code pages.
    code_page: bool,
    decoder: Decoder,
    input: Vec<u8>,
    /// What of `input` is still to be decoded.
    pending: std::ops::Range<usize>,
    ended: bool,
    /// Decoded, and read up to `taken`.
    text: Vec<u8>,
    taken: usize,
    finished: bool,
}

/// Windows' code pages leave some bytes undefined, such as 0x81 in Windows-1252.
/// The web's rules turn those into the control characters U+0080 to U+009F,
/// which nothing else becomes there; in a case file they are a sign that the
/// encoding is another. Each becomes a byte that is not text.
fn mark_undefined(text: &mut Vec<u8>) {
    let is_control =
        |text: &[u8], at: usize| text[at] == 0xC2 && matches!(text.get(at + 1), Some(0x80..=0x9F));
    let found = memchr::memchr_iter(0xC2, text).find(|at| is_control(text, *at));
    let Some(mut at) = found else {
        return;
    };
    let mut end = at;
    while at < text.len() {
        if is_control(text, at) {
            text[end] = 0xFF;
            at += 2;
        } else {
            text[end] = text[at];
            at += 1;
        }
        end += 1;
    }
    text.truncate(end);
}

impl<R: Read> Transcoded<R> {
    /// Decodes the next piece; after that there is text, or the end.
    fn decode(&mut self) -> io::Result<()> {
        self.text.clear();
        self.taken = 0;
        while self.text.is_empty() && !self.finished {
            if self.pending.is_empty() && !self.ended {
                let count = self.source.read(&mut self.input)?;
                self.pending = 0..count;
                self.ended = count == 0;
            }
            let input = &self.input[self.pending.clone()];
            let room = self
                .decoder
                .max_utf8_buffer_length_without_replacement(input.len())
                .unwrap_or(input.len() * 4 + 16);
            self.text.resize(room, 0);
            let (result, read, written) =
                self.decoder
                    .decode_to_utf8_without_replacement(input, &mut self.text, self.ended);
            self.text.truncate(written);
            if self.code_page {
                mark_undefined(&mut self.text);
            }
            self.pending.start += read;
            match result {
                DecoderResult::Malformed(..) => self.text.push(0xFF),
                DecoderResult::InputEmpty => self.finished = self.ended,
                DecoderResult::OutputFull => {}
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Transcoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.text.len() {
            self.decode()?;
        }
        let count = buffer.len().min(self.text.len() - self.taken);
        buffer[..count].copy_from_slice(&self.text[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}
