//! Cells that a spreadsheet would take for a formula.

/// Whether it begins as a formula does: by one of `= + - @`, in full width
/// too, also behind white space and characters that can't be seen; or by a tab
/// or line break, behind which a spreadsheet may begin anew. Phone numbers such
/// as `+17025550101` are among them: they would turn into numbers.
pub(super) fn is_formula(cell: &str) -> bool {
    // Nearly every cell begins with a letter or a digit.
    if cell.is_empty() || cell.as_bytes()[0].is_ascii_alphanumeric() {
        return false;
    }
    cell.starts_with(['\t', '\r', '\n'])
        || cell
            .trim_start_matches(is_unseen)
            .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

fn is_unseen(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{202a}'..='\u{202e}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_evaluate_is_a_formula() {
        for cell in [
            "=HYPERLINK(\"http://x\")",
            "+17025550101",
            "-5",
            "-",
            "@SUM(A1)",
            "\tx",
            "\r=1",
            "\nx",
            "  =1+1",
            "\u{feff}=1",
            "\u{0}=1",
            "\u{a0}+1",
            "＝1+1",
            "＠x",
        ] {
            assert!(is_formula(cell), "{cell:?}");
        }
    }

    #[test]
    fn any_other_cell_is_none() {
        for cell in [
            "",
            " ",
            "a=1",
            "5-3",
            "'=1",
            "(702) 555-0101",
            "key:[\"00123\"]",
            "#N/A",
            "José",
        ] {
            assert!(!is_formula(cell), "{cell:?}");
        }
    }
}
