//! Templates such as `{First} {Last}`: text with columns in braces.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TemplatePiece {
    Text(Box<str>),
    /// A column, by its position among the template's columns.
    Column(usize),
}

const UNCLOSED: &str = "unclosed `{`; write `{{` for a literal brace";
const UNOPENED: &str = "`}` without `{`; write `}}` for a literal brace";
const NO_NAME: &str = "`{}` without a column name";
const NO_COLUMN: &str = "a template without a column; use `value` for a constant";

/// The pieces of a template, and its columns; or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<(Vec<TemplatePiece>, Vec<String>), &'static str> {
    let mut pieces = Vec::new();
    let mut columns: Vec<String> = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.peek() == Some(&c) => {
                chars.next();
                literal.push(c);
            }
            '}' => return Err(UNOPENED),
            '{' => {
                if !literal.is_empty() {
                    pieces.push(TemplatePiece::Text(std::mem::take(&mut literal).into()));
                }
                let mut name = String::new();
                loop {
                    match chars.next() {
                        Some('}') => break,
                        Some('{') | None => return Err(UNCLOSED),
                        Some(c) => name.push(c),
                    }
                }
                if name.trim().is_empty() {
                    return Err(NO_NAME);
                }
                pieces.push(TemplatePiece::Column(columns.len()));
                columns.push(name);
            }
            _ => literal.push(c),
        }
    }
    if columns.is_empty() {
        return Err(NO_COLUMN);
    }
    if !literal.is_empty() {
        pieces.push(TemplatePiece::Text(literal.into()));
    }
    Ok((pieces, columns))
}

/// Writes a template with the values of its columns. A blank value takes the
/// space after it along; where all values are blank, nothing is written.
pub(super) fn fill(pieces: &[TemplatePiece], values: &[impl AsRef<str>], out: &mut String) {
    out.clear();
    let value = |column: &usize| {
        values
            .get(*column)
            .map_or("", |value| value.as_ref().trim())
    };
    let filled =
        |piece: &TemplatePiece| matches!(piece, TemplatePiece::Column(at) if !value(at).is_empty());
    if !pieces.iter().any(filled) {
        return;
    }
    let mut after_blank = false;
    for piece in pieces {
        match piece {
            TemplatePiece::Column(at) => {
                let text = value(at);
                after_blank = text.is_empty();
                out.push_str(text);
            }
            TemplatePiece::Text(text) => {
                let doubled = after_blank && (out.is_empty() || out.ends_with(' '));
                out.push_str(if doubled { text.trim_start() } else { text });
                after_blank = false;
            }
        }
    }
    let end = out.trim_end().len();
    out.truncate(end);
    let start = out.len() - out.trim_start().len();
    out.drain(..start);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, values: &[&str]) -> String {
        let (pieces, _) = parse(template).unwrap();
        let mut out = String::new();
        fill(&pieces, values, &mut out);
        out
    }

    #[test]
    fn blank_values_leave_no_gap() {
        assert_eq!(filled("{First} {Last}", &["Ann", "Lee"]), "Ann Lee");
        assert_eq!(filled("{A} {B} {C}", &["Ann", " ", "Lee"]), "Ann Lee");
        assert_eq!(filled("{A} {B} {C}", &["", "M", ""]), "M");
        assert_eq!(filled("No {A}-{B}", &["", "  "]), "");
        assert_eq!(filled("{{{A}}}", &["x"]), "{x}");
        assert_eq!(filled("{A} {B}", &["two  spaces", "b"]), "two  spaces b");
    }

    #[test]
    fn an_invalid_template_is_refused() {
        assert_eq!(parse("{First"), Err(UNCLOSED));
        assert_eq!(parse("First}"), Err(UNOPENED));
        assert_eq!(parse("{ }"), Err(NO_NAME));
        assert_eq!(parse("{{First}}"), Err(NO_COLUMN));
    }
}
