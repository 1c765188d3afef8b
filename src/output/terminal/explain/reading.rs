//! What reading a file can find.

use super::Explanation;

pub(super) const RAGGED_ROW: Explanation = Explanation {
    title: "a row with more or fewer cells than the header",
    text: "\
        The row has more or fewer cells than the header has columns, so nobody can\n\
        tell which value belongs to which column. Mostly a cell with a comma or a\n\
        line break in it stands without quotes, or a quote closes many lines too\n\
        late.\n\n\
        Put such a cell in quotes, and keep the delimiters of empty cells:\n\n\
        \x20   1042,\"Smith, Ann\",,2026-06-14\n\n\
        If every row is told, the delimiter may be wrong: give it with --delimiter.",
};

pub(super) const DUPLICATE_HEADER: Explanation = Explanation {
    title: "two columns with the same name",
    text: "\
        Two columns of the header have one name, so a rule can't say which of them\n\
        it means. Rename one of them in the first row, or delete the column that is\n\
        not needed.",
};

pub(super) const EMPTY_HEADER: Explanation = Explanation {
    title: "a column with values and no name",
    text: "\
        A column holds values, but its cell in the first row is empty. A value\n\
        without a name can't be sent, and leaving it out in silence could lose\n\
        something. Give the column a name, or empty its cells.",
};

pub(super) const NOT_FIXED: Explanation = Explanation {
    title: "a record of a rejects file that is still as it was",
    text: "\
        An earlier run could not read this row or object, for example because it had\n\
        too many cells. It stands in the rejects file with its cells as far as they\n\
        went, and with its whole text in caseload_text. While that is filled, nobody\n\
        has said that the cells are right now, and the record is no case.\n\n\
        Compare the cells with the text, put them right, and empty caseload_text. In\n\
        a file of JSON write the object's own members into the line, and remove it.",
};

pub(super) const INVALID_TEXT: Explanation = Explanation {
    title: "bytes that are no text in the file's encoding",
    text: "\
        The file holds bytes that are no text in the encoding it was read with;\n\
        accented letters would come out wrong. In Excel save it as \"CSV UTF-8\", or\n\
        name its real encoding:\n\n\
        \x20   caseload check cases.csv --encoding windows-1252",
};

pub(super) const TRUNCATED: Explanation = Explanation {
    title: "the file ends in the middle of a record",
    text: "\
        The file stops before its last record is complete: a download or an export\n\
        broke off, or it is still being written. Cases may be missing behind that\n\
        place. Export or copy it again, and compare its size.",
};

pub(super) const BAD_JSON: Explanation = Explanation {
    title: "text that is not valid JSON",
    text: "\
        At the given line and column something else was expected: often a comma too\n\
        many or too few, a quote inside a text without a backslash, or text behind\n\
        the end. Mend it there, or export the file again. In NDJSON each line is one\n\
        whole object; in JSON the objects stand in one array.",
};

pub(super) const DUPLICATE_MEMBER: Explanation = Explanation {
    title: "a JSON object that names a member twice",
    text: "\
        One object has two members with the same name. Programs differ in which of\n\
        the two they take, so neither is. Remove or rename one of them.",
};

pub(super) const NOT_AN_OBJECT: Explanation = Explanation {
    title: "a JSON value where an object was expected",
    text: "\
        A case must be a JSON object: names with values in braces. Here stands a\n\
        bare text, number or list. Turn it into an object, or take it out:\n\n\
        \x20   {\"LeadId\": \"1042\", \"FirstName\": \"Ann\"}",
};

pub(super) const UNCLOSED_QUOTE: Explanation = Explanation {
    title: "a quote that is opened and never closed",
    text: "\
        A cell begins with a quote that never ends, so everything behind it, whole\n\
        rows too, would be one cell. Close the quote in the line that is named. A\n\
        quote that belongs to the text is written twice inside a quoted cell:\n\n\
        \x20   1042,\"He said \"\"stop\"\" twice\"",
};

pub(super) const TOO_LARGE: Explanation = Explanation {
    title: "a record or file past a stated limit",
    text: "\
        A record, a cell or the file is larger than caseload reads; the message\n\
        gives the limit. Often an unclosed quote has swallowed the rest of the file,\n\
        or a document was pasted into a cell. Shorten the cell, or mend the quotes\n\
        before it.",
};

pub(super) const CONTROL_CHARACTER: Explanation = Explanation {
    title: "control characters in a value",
    text: "\
        The value holds characters that can't be seen, such as NUL. They come from\n\
        damaged exports, and a platform may cut the text there. Clear the cell and\n\
        type the value again. It is a warning: the value goes out as it stands\n\
        unless --strict is given.",
};

pub(super) const SPREADSHEET_ERROR: Explanation = Explanation {
    title: "a spreadsheet's error instead of a value",
    text: "\
        The cell holds what a spreadsheet shows when it has no value: #N/A, #REF! or\n\
        a row of #### where the column is too narrow. It would be sent as text. Mend\n\
        the formula or widen the column, and export again, or empty the cell.",
};
