//! What is only seen across rows, or against the ledger.

use super::Explanation;

pub(super) const DUPLICATE_KEY: Explanation = Explanation {
    title: "one key on rows that differ",
    text: "\
        Several rows have the same key and are not the same, so caseload can't know\n\
        which of them is the case; none of them goes out, with --skip-invalid\n\
        neither. If they are different cases, choose a key of more columns; if they\n\
        are one case with several plaintiffs, keep one row:\n\n\
        \x20   [case]\n\
        \x20   key = [\"Case Number\", \"Plaintiff\"]",
};

pub(super) const DUPLICATE_ROW: Explanation = Explanation {
    title: "the same row twice",
    text: "\
        Two rows have the same key and say the same. Sent both, the case would exist\n\
        twice. Delete all but one; with --skip-invalid the first goes and the others\n\
        stay behind.",
};

pub(super) const RARE_FIRM: Explanation = Explanation {
    title: "a firm one letter away from a frequent one",
    text: "\
        A few cases go to a firm whose name or id differs by one letter from that of\n\
        many others. It may be a slip of the hand, and then the wrong firm would see\n\
        these cases. Compare the two. It is a warning: if both firms are real,\n\
        nothing is to be done.",
};

pub(super) const SIMILAR_KEYS: Explanation = Explanation {
    title: "keys that differ in letter case or leading zeros only",
    text: "\
        Two keys such as A01 and a01, or 00123 and 123, are two cases to caseload.\n\
        Often they are one, and a spreadsheet has changed it. Compare the rows, and\n\
        delete one or mend its key. If both are real, nothing is to be done.",
};

pub(super) const DAMAGED_KEY: Explanation = Explanation {
    title: "a key that a spreadsheet has rounded",
    text: "\
        The key looks like 4.41E+11: a spreadsheet took an id for a number and\n\
        dropped its digits. Other rows may have the same damaged key, and later\n\
        exports will have another. Export again with this column formatted as text.",
};

pub(super) const UNCHECKED_CASE_TYPE: Explanation = Explanation {
    title: "no list of choices guards the case type",
    text: "\
        A case type that is not spelled exactly as on the platform is accepted,\n\
        filed under \"Other\" and goes nowhere, and no error is returned. List the\n\
        values that the platform knows, so that every row is checked against them:\n\n\
        \x20   [fields.CaseType]\n\
        \x20   from = \"Case Type\"\n\
        \x20   choices = [\"Motor Vehicle Accident\", \"Dog Bite Injuries\"]\n\n\
        `caseload init cases.csv` writes the values of your file there, to be\n\
        compared.",
};

pub(super) const KEY_NOT_SENT: Explanation = Explanation {
    title: "the key is not among the fields sent",
    text: "\
        The key tells the rows apart here, but no field carries it to the platform,\n\
        so that nobody can find a case there by it. That matters when a case is in\n\
        doubt and must be looked up. Send the column too:\n\n\
        \x20   [fields.LeadId]\n\
        \x20   from = \"Lead ID\"",
};

pub(super) const LIKELY_DUPLICATE: Explanation = Explanation {
    title: "the same person and incident under two keys",
    text: "\
        Two rows have different keys, but the same name, incident date and phone or\n\
        e-mail. They may be one case that was entered twice. Compare them, and\n\
        delete one if so. It is a warning: if both are real, nothing is to be done.",
};

pub(super) const SAME_CONTENT: Explanation = Explanation {
    title: "a new key with the content of a known case",
    text: "\
        The ledger does not know this key, but a case with the very same content is\n\
        imported or in doubt under another. Mostly the key column has changed, by\n\
        another export or another setting, and sending would make the case twice.\n\
        Use the key that the case was imported with. If it is a case of its own,\n\
        --allow-same-content lets it through.",
};
