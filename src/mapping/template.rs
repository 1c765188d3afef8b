//! Templates such as `{First} {Last}`: text with columns in braces.

const UNCLOSED: &str = "unclosed `{`; write `{{` for a literal brace";
const UNOPENED: &str = "`}` without `{`; write `}}` for a literal brace";
const NO_NAME: &str = "`{}` without a column name";
const NO_COLUMN: &str = "a template without a column; use `value` for a constant";

/// A template's texts, one before each of its columns and one after the last, and
/// its columns; or what is wrong with it.
pub(super) fn parse(template: &str) -> Result<(Vec<Box<str>>, Vec<String>), &'static str> {
    let (mut texts, mut columns) = (Vec::new(), Vec::new());
    let (mut text, mut rest) = (String::new(), template);
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        let (brace, after) = brace.split_at(1);
        text.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            return Err(UNOPENED);
        }
        let column = rest.split_once('}');
        let (name, after) = column
            .filter(|(name, _)| !name.contains('{'))
            .ok_or(UNCLOSED)?;
        if name.trim().is_empty() {
            return Err(NO_NAME);
        }
        texts.push(std::mem::take(&mut text).into());
        columns.push(name.to_owned());
        rest = after;
    }
    if columns.is_empty() {
        return Err(NO_COLUMN);
    }
    texts.push((text + rest).into());
    Ok((texts, columns))
}

/// Writes a template with the values of its columns. A blank value takes the
/// space after it along; where all values are blank, nothing is written.
pub(super) fn fill(texts: &[Box<str>], values: &[impl AsRef<str>], out: &mut String) {
    out.clear();
    let values = values.iter().map(|value| value.as_ref().trim());
    let Some((first, texts)) = texts.split_first() else {
        return;
    };
    if values.clone().all(str::is_empty) {
        return;
    }
    out.push_str(first);
    for (value, text) in values.zip(texts) {
        out.push_str(value);
        let is_doubled = value.is_empty() && (out.is_empty() || out.ends_with(' '));
        out.push_str(if is_doubled { text.trim_start() } else { text });
    }
    out.truncate(out.trim_end().len());
    out.drain(..out.len() - out.trim_start().len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, values: &[&str]) -> String {
        let (texts, _) = parse(template).unwrap();
        let mut out = String::new();
        fill(&texts, values, &mut out);
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
