//! Mutations of a file, with what often makes a difference.

use fastrand::Rng;

use super::fuzz::RECORD;

/// What often makes a difference, put in at random places.
const TOKENS: &[&[u8]] = &[
    b"\"",
    b"\"\"",
    b"\n",
    b"\r\n",
    b"\r",
    b",",
    b";",
    b"\t",
    b"|",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b"\\",
    b"\\u0061",
    b"\\ud83d\\ude00",
    b"\\ud800",
    b"null",
    b"-0.10e+2",
    b"123456789012345678901234567890",
    b"\"a\":1,\"a\":2",
    b"{\"id\":\"c9\",\"n\":{\"x\":1,\"x\":2}}",
    b"caseload_text",
    b"caseload_escaped",
    b"escaped:[\"name\"]",
    b"sep=;\n",
    b"\"x\"y",
    b", \"z\"",
    b"id,partnerFirmId,name,caseload_escaped\n",
    b"Title\n\n",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xff",
    b"\xc3",
    b"\xe9",
    b"\x81",
    b"\xc2\x81",
    b"\xd8\x00",
    b"\0",
    b"\x1b[31m",
    b" ",
    b"r=\"XFD1048576\"",
    b"r=\"ZZZZZ9\"",
    b"r=\"A9\"",
    b"t=\"s\"",
    b"uniqueCount=\"4294967295\"",
    b"<v>4294967295</v>",
    b"</row>",
    b"<f>A1</f><v/>",
    b"hidden=\"1\"",
    b"<mergeCells><mergeCell ref=\"A2:B3\"/></mergeCells>",
    b"formatCode=\"00000\"",
    b"<c/>",
];

/// Some mutations of a file.
pub(super) fn mutated(rng: &mut Rng, seed: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.usize(1..8) {
        let at = rng.usize(..=bytes.len());
        let end = (at + rng.usize(..20)).min(bytes.len());
        match rng.u8(..8) {
            0 if at < bytes.len() => bytes[at] = rng.u8(..),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                let to = rng.usize(..=bytes.len());
                bytes.splice(to..to, piece);
            }
            3 if rng.u8(..8) == 0 => bytes.truncate(at),
            4 if rng.u8(..8) == 0 => {
                let long = vec![rng.u8(..); RECORD / 2 + rng.usize(..RECORD)];
                bytes.splice(at..at, long);
            }
            _ => {
                let token = TOKENS[rng.usize(..TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
        }
    }
    bytes
}
