//! Numbers as people see them where their digits alone say something else: ids
//! and ZIP codes whose leading zeros are in the format, and percentages.

use calamine::{DataRef, Style};

use crate::model::CellKind;

/// How a cell shows a number.
#[derive(Debug, Default, PartialEq)]
pub(super) enum NumberFormat {
    /// As its digits, with whatever a currency or grouping adds.
    #[default]
    Digits,
    Percent,
    /// Digits in a fixed pattern, such as `00000` or `000-00-0000`.
    Pattern(Vec<Part>),
}

#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// A digit, shown as 0 where the number has none.
    Zero,
    /// A digit that the number may not have.
    Optional,
    Literal(char),
}

impl Part {
    fn is_digit(&self) -> bool {
        !matches!(self, Self::Literal(_))
    }
}

impl NumberFormat {
    pub(super) fn of(style: &Style) -> Self {
        let format = style.number_format.as_ref();
        format.map_or(Self::Digits, |format| Self::parse(&format.format_code))
    }

    /// By its code; only the section for positive numbers counts.
    fn parse(code: &str) -> Self {
        let (mut parts, mut is_percent, mut is_other) = (Vec::new(), false, false);
        let mut chars = code.chars();
        while let Some(c) = chars.next() {
            match c {
                ';' => break,
                '0' => parts.push(Part::Zero),
                '#' | '?' => parts.push(Part::Optional),
                '"' => parts.extend(chars.by_ref().take_while(|c| *c != '"').map(Part::Literal)),
                '\\' => parts.extend(chars.next().map(Part::Literal)),
                // Room of another character's width.
                '_' | '*' => drop(chars.next()),
                // A color or a currency; a condition chooses between formats.
                '[' => {
                    is_other |= chars
                        .by_ref()
                        .take_while(|c| *c != ']')
                        .any(|c| "<>=".contains(c));
                }
                '%' => is_percent = true,
                ' ' | '-' | '(' | ')' => parts.push(Part::Literal(c)),
                _ => is_other = true,
            }
        }
        if is_percent {
            return Self::Percent;
        }
        let zeros = parts.iter().filter(|part| **part == Part::Zero).count();
        let first = parts.iter().position(Part::is_digit);
        let (Some(first), Some(last)) = (first, parts.iter().rposition(Part::is_digit)) else {
            return Self::Digits;
        };
        // A unit after the digits, or a currency before them, is no part of an id.
        let is_name = |part: &Part| matches!(part, Part::Literal(c) if c.is_alphanumeric());
        let is_id = zeros > 1
            || !parts[first..last].iter().all(Part::is_digit)
            || parts[..first].iter().any(is_name);
        if is_id && !is_other {
            Self::Pattern(parts)
        } else {
            Self::Digits
        }
    }

    /// The text that people see, if it is not the number's digits.
    pub(super) fn shown(&self, value: &DataRef<'_>) -> Option<(CellKind, String)> {
        const MOST: f64 = 1e15;
        let value = match value {
            DataRef::Float(value) => *value,
            DataRef::Int(value) => *value as f64,
            _ => return None,
        };
        match self {
            Self::Percent if value.abs() < MOST => {
                // Twelve decimals are more than people type, and fewer than
                // binary fractions show.
                let text = format!("{:.12}", value * 100.0);
                let text = text.trim_end_matches('0').trim_end_matches('.');
                Some((CellKind::Text, format!("{text}%")))
            }
            Self::Pattern(parts) if value.fract() == 0.0 && (0.0..MOST).contains(&value) => {
                Some((CellKind::Text, fill(parts, &value.to_string())))
            }
            _ => None,
        }
    }
}

/// Puts digits into a pattern, from the right; those that are left over stand at
/// the first digit's place.
fn fill(parts: &[Part], digits: &str) -> String {
    let mut left = digits.trim_start_matches('0').chars().rev();
    let first = parts.iter().position(Part::is_digit);
    let mut text = String::new();
    for (at, part) in parts.iter().enumerate().rev() {
        match part {
            Part::Literal(c) => text.push(*c),
            Part::Zero => text.push(left.next().unwrap_or('0')),
            Part::Optional => text.extend(left.next()),
        }
        if first == Some(at) {
            text.extend(left.by_ref());
        }
    }
    text.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_their_format_says() {
        for (code, value, shown) in [
            ("00000", 123.0, Some("00123")),
            ("00000", 123_456.0, Some("123456")),
            ("00000-0000", 21_340_001.0, Some("02134-0001")),
            ("000-00-0000", 12_345_678.0, Some("012-34-5678")),
            ("000\\-00\\-0000", 12_345_678.0, Some("012-34-5678")),
            ("(###) ###-####", 7_025_550_101.0, Some("(702) 555-0101")),
            ("\"L-\"0000", 7.0, Some("L-0007")),
            ("[$-409]00000;@", 5.0, Some("00005")),
            ("00000", 0.0, Some("00000")),
            ("0%", 0.33, Some("33%")),
            ("0.00%", 0.07, Some("7%")),
            ("0%", 0.3333, Some("33.33%")),
            ("0%", 1.1, Some("110%")),
            ("0%", 0.0, Some("0%")),
            ("0%", -0.5, Some("-50%")),
            ("00000", 1.5, None),
            ("00000", -5.0, None),
            ("General", 5.0, None),
            ("0", 5.0, None),
            ("0.00", 5.0, None),
            ("#,##0.00", 5.0, None),
            ("\"$\"#,##0_);(\"$\"#,##0)", 5.0, None),
            ("$0", 5.0, None),
            ("0\" days\"", 5.0, None),
            ("# ?/?", 5.0, None),
            ("0.00E+00", 5.0, None),
            ("@", 5.0, None),
            ("[<=9999999]###-####;(###) ###-####", 5_550_101.0, None),
            ("", 5.0, None),
        ] {
            let format = NumberFormat::parse(code);
            let found = format.shown(&DataRef::Float(value));
            let found = found.as_ref().map(|(_, text)| text.as_str());
            assert_eq!(found, shown, "{code}: {value}");
        }
    }
}
