//! What a case file is, by name.

use std::fmt;
use std::str::FromStr;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Cells between commas, or another character.
    Csv,
    /// Cells between tabs.
    Tsv,
    /// An array of objects, an object with one in it, or a single object.
    Json,
    /// One object a line.
    Ndjson,
    /// An Excel workbook.
    Xlsx,
}

/// A name that no format has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format {0:?}: expected csv, tsv, json, ndjson or xlsx")]
pub struct UnknownFormat(pub String);

impl Format {
    /// Every format.
    pub(crate) const ALL: [Self; 5] = [Self::Csv, Self::Tsv, Self::Json, Self::Ndjson, Self::Xlsx];

    /// The name on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Xlsx => "xlsx",
        }
    }
}

impl Format {
    /// The format that a file's name promises; a final `.gz` does not count.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        Self::from_extension(name.rsplit_once('.')?.1)
    }

    /// The format of a file name extension in lower case.
    pub(crate) fn from_extension(extension: &str) -> Option<Self> {
        match extension {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "json" => Some(Self::Json),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "xlsx" | "xlsm" => Some(Self::Xlsx),
            _ => None,
        }
    }

    /// Whether its records are JSON objects.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == name)
            .ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}
