//! What encoding a file has, and its text as UTF-8.

use std::io::{self, Cursor, Read};

use encoding_rs::{
    Decoder, DecoderResult, Encoding, MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252,
};

use memchr::memchr_iter;

use crate::model::{Code, Place, Problem};

use super::InputErrorKind;
use super::bytes::{Bytes, read_head};

/// How much is decoded at once.
const BLOCK: usize = 64 << 10;

/// The encoding of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detected {
    pub(super) encoding: &'static Encoding,
    /// Length of the byte order mark.
    mark: usize,
    /// Neither by a mark, nor as valid UTF-8, nor named by the user.
    guessed: bool,
}

/// The named encoding, or the one of the first bytes. A file that is not UTF-8
/// from its first block on is Windows-1252, as Excel writes it, or with the line
/// ends of a Mac what Excel writes there; later in the file nothing is guessed.
pub(super) fn detect(head: &[u8], named: Option<&str>) -> Result<Detected, InputErrorKind> {
    let marked = Encoding::for_bom(head);
    // In the middle of a character, by the block's end.
    let is_cut_off = |error: std::str::Utf8Error| error.error_len().is_none();
    let (encoding, mark, guessed) = if let Some(name) = named {
        let encoding = Encoding::for_label(name.trim().as_bytes())
            .filter(|encoding| encoding.name() != "replacement")
            .ok_or_else(|| InputErrorKind::UnknownEncoding(name.to_owned()))?;
        // "utf-16" alone means little endian; the mark knows better.
        let is_utf_16 = name.eq_ignore_ascii_case("utf-16");
        let (encoding, mark) = marked
            .filter(|(by_mark, _)| is_utf_16 || *by_mark == encoding)
            .unwrap_or((encoding, 0));
        (encoding, mark, false)
    } else if let Some((encoding, mark)) = marked {
        (encoding, mark, false)
    } else if let Some(encoding) = utf_16_by_nuls(head) {
        (encoding, 0, true)
    } else if memchr_iter(0, head).count() > head.len() / 8 {
        // A file that was never written looks like this.
        return Err(InputErrorKind::Binary);
    } else if std::str::from_utf8(head).err().is_none_or(is_cut_off) {
        (UTF_8, 0, false)
    } else if head.contains(&0) {
        return Err(InputErrorKind::Binary);
    } else if head.contains(&b'\r') && !head.contains(&b'\n') {
        (MACINTOSH, 0, true)
    } else {
        (WINDOWS_1252, 0, true)
    };
    Ok(Detected {
        encoding,
        mark,
        guessed,
    })
}

/// Western text in UTF-16 has a NUL in nearly every other byte.
fn utf_16_by_nuls(head: &[u8]) -> Option<&'static Encoding> {
    let (pairs, _) = head.as_chunks::<2>();
    let nuls = |half: usize| pairs.iter().filter(|pair| pair[half] == 0).count();
    let (even, odd) = (nuls(0), nuls(1));
    let nearly_all = |nuls: usize, others: usize| {
        pairs.len() >= 2 && nuls * 10 >= pairs.len() * 7 && others * 10 <= pairs.len()
    };
    if nearly_all(odd, even) {
        Some(UTF_16LE)
    } else {
        nearly_all(even, odd).then_some(UTF_16BE)
    }
}

impl Detected {
    /// A warning of a guess: a wrong one shows in names only.
    pub(super) fn guess(&self) -> Option<Problem> {
        let name = self.encoding.name();
        let message = format!("the file does not say its encoding: read as {name}, a guess");
        let warning = Problem::new(Code::GuessedEncoding, Place::default(), message);
        let hint = "check names with accents, and use --encoding if they are wrong";
        self.guessed.then(|| warning.with_hint(hint))
    }

    /// The text of `head` and what follows it. Bytes that are not text in the
    /// encoding become bytes that are not text in UTF-8 either, so that the
    /// parser finds them in their record.
    pub(super) fn text(self, mut head: Vec<u8>, rest: Bytes) -> Bytes {
        head.drain(..self.mark);
        let source = Box::new(Cursor::new(head).chain(rest));
        if self.encoding == UTF_8 {
            return source;
        }
        Box::new(Transcoded {
            source,
            is_code_page: self.encoding.name().starts_with("windows-"),
            decoder: self.encoding.new_decoder_without_bom_handling(),
            text: Cursor::default(),
            ended: false,
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
struct Transcoded {
    source: Bytes,
    /// Whether it is one of Windows' code pages.
    is_code_page: bool,
    decoder: Decoder,
    /// The last block, decoded.
    text: Cursor<Vec<u8>>,
    ended: bool,
}

impl Transcoded {
    fn decode_block(&mut self) -> io::Result<()> {
        let block = read_head(&mut self.source, BLOCK)?;
        self.ended = block.len() < BLOCK;
        let room = self
            .decoder
            .max_utf8_buffer_length_without_replacement(block.len());
        // One more for each byte that may not be text.
        let mut text = vec![0; room.unwrap_or(block.len() * 4) + block.len() + 16];
        let (mut input, mut end) = (&block[..], 0);
        loop {
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
                input,
                &mut text[end..],
                self.ended,
            );
            input = &input[read..];
            end += written;
            let DecoderResult::Malformed(..) = result else {
                break;
            };
            text[end] = 0xFF;
            end += 1;
        }
        text.truncate(end);
        if self.is_code_page {
            mark_undefined(&mut text);
        }
        self.text = Cursor::new(text);
        Ok(())
    }
}

impl Read for Transcoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.text.read(buffer)?;
            if count > 0 || self.ended || buffer.is_empty() {
                return Ok(count);
            }
            self.decode_block()?;
        }
    }
}

/// Windows' code pages leave some bytes undefined, such as 0x81 in Windows-1252.
/// The web's rules turn those into the control characters U+0080 to U+009F,
/// which nothing else becomes there; in a case file they are a sign that the
/// encoding is another. Each becomes a byte that is not text.
fn mark_undefined(text: &mut Vec<u8>) {
    text.dedup_by(|byte, before| {
        let is_control = *before == 0xC2 && (0x80..=0x9F).contains(byte);
        if is_control {
            *before = 0xFF;
        }
        is_control
    });
}
