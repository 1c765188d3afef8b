//! What is wrong with single values and names of a record.

use super::Explanation;

pub(super) const MISSING_REQUIRED: Explanation = Explanation {
    title: "a required field has no value",
    text: "\
        The config says `required = true` for this field, and the cell is empty or\n\
        only white space. Fill the cell in. If not every case has it, take\n\
        `required` out of the rule in caseload.toml, or give a value that stands in:\n\n\
        \x20   [fields.Summary]\n\
        \x20   from = \"Case Details\"\n\
        \x20   default = \"none given\"",
};

pub(super) const BAD_DATE: Explanation = Explanation {
    title: "no date in any of the given formats",
    text: "\
        The value is no date of the forms that the config lists, or no day that\n\
        exists, such as 02/30/2026. Dates are never guessed, since a wrong incident\n\
        date changes a case's deadline. Mend the cell, or add the form that your\n\
        file has to the rule:\n\n\
        \x20   formats = [\"%m/%d/%Y\", \"%Y-%m-%d\"]\n\n\
        A bare number such as 46187 is how Excel stores a date: format the column as\n\
        a date and export again.",
};

pub(super) const AMBIGUOUS_DATE: Explanation = Explanation {
    title: "a date that two formats read differently",
    text: "\
        Two of the formats in the rule fit this value and give different days:\n\
        03/04/2026 is March 4 or April 3. Leave only the form that your file has in\n\
        `formats`, or write the date as 2026-03-04.",
};

pub(super) const BAD_INTEGER: Explanation = Explanation {
    title: "not a whole number",
    text: "\
        The rule says `type = \"integer\"`, and the value has letters, a fraction or\n\
        leading zeros. Write it with digits only. If it is an id or a ZIP code, it\n\
        is text: take the type out of the rule, so that its zeros stay.",
};

pub(super) const BAD_NUMBER: Explanation = Explanation {
    title: "not a number",
    text: "\
        The rule says `type = \"number\"`, and the value is none. Write 1250.50 rather\n\
        than \"about 1,250\" or \"$1,250.50\". If it was never meant to be a number,\n\
        take the type out of the rule.",
};

pub(super) const BAD_BOOL: Explanation = Explanation {
    title: "neither yes nor no",
    text: "\
        The rule says `type = \"bool\"`. Write yes or no, true or false, y or n, 1 or\n\
        0. Other words can be translated in the rule:\n\n\
        \x20   rename = { \"Signed\" = \"yes\", \"Open\" = \"no\" }",
};

pub(super) const BAD_STATE: Explanation = Explanation {
    title: "not a state of the US",
    text: "\
        The rule says `type = \"state\"`. A state is two letters (NV), its name\n\
        (Nevada) or both (NV Nevada). Mend the spelling. A case from elsewhere needs\n\
        a field without that type.",
};

pub(super) const BAD_PHONE: Explanation = Explanation {
    title: "not a phone number",
    text: "\
        North American numbers have ten digits in any usual form, such as (702)\n\
        555-0101; others begin with + and their country code and have 8 to 15\n\
        digits. Keep one number a cell, without an extension. A number like 1.70E+10\n\
        was rounded by a spreadsheet: export the column as text.",
};

pub(super) const BAD_EMAIL: Explanation = Explanation {
    title: "not an e-mail address",
    text: "\
        The rule says `type = \"email\"`, and the value is no single address of the\n\
        form name@example.com. Keep one address, without a name around it, or empty\n\
        the cell.",
};

pub(super) const NOT_A_CHOICE: Explanation = Explanation {
    title: "none of the field's choices",
    text: "\
        The config lists the only values that this field may have, and this is none\n\
        of them. The platform accepts a case type that it does not know and files it\n\
        where nobody looks, so the spelling must fit exactly. Mend the cell, or\n\
        translate it in the rule:\n\n\
        \x20   rename = { \"MVA\" = \"Motor Vehicle Accident\" }\n\n\
        If the value is right, add it to `choices`.",
};

pub(super) const TOO_SHORT: Explanation = Explanation {
    title: "shorter than the field needs",
    text: "\
        The value has fewer characters than `min_length` in the rule. Something may\n\
        have been cut off or typed in the wrong column. Complete the cell, or lower\n\
        `min_length` in caseload.toml.",
};

pub(super) const TOO_LONG: Explanation = Explanation {
    title: "longer than the field may be",
    text: "\
        The value has more characters than `max_length` in the rule. It is not cut,\n\
        since the end of a summary can matter. Shorten the cell, or raise\n\
        `max_length` in caseload.toml if the platform takes more.",
};

pub(super) const PATTERN_MISMATCH: Explanation = Explanation {
    title: "does not match the field's pattern",
    text: "\
        The rule has a `pattern`, a regular expression that the whole form of the\n\
        value must fit, and this one does not. Mend the cell. If such values are\n\
        right, widen the pattern in caseload.toml.",
};

pub(super) const BAD_NAME: Explanation = Explanation {
    title: "not of the form \"Last, First\"",
    text: "\
        The rule takes one side of a name with `part`, and so the cell must hold a\n\
        last name, one comma and a first name: Smith, Ann. Write it so. A company or\n\
        a name with a title before it belongs in a column of its own.",
};

pub(super) const NESTED_VALUE: Explanation = Explanation {
    title: "a nested value where a single one is needed",
    text: "\
        The JSON has an object or a list here, and a single text or number is\n\
        needed. Name the value inside it with dots:\n\n\
        \x20   from = \"client.email\"",
};

pub(super) const TARGET_CONFLICT: Explanation = Explanation {
    title: "two values for the same field",
    text: "\
        Two columns of the row would go into one field, or name two different\n\
        partner firms. Sending either would be a guess. Empty one of the cells, let\n\
        one rule read both columns (`from = [\"Mobile\", \"Phone\"]` takes the first\n\
        that is filled), or leave out `passthrough`.",
};

pub(super) const EMPTY_KEY: Explanation = Explanation {
    title: "the key is empty",
    text: "\
        The key tells one case from another; without it caseload could not know\n\
        whether the row was imported before, and might make it twice. Fill the key\n\
        column in, or choose columns that are filled in every row:\n\n\
        \x20   [case]\n\
        \x20   key = [\"Lead ID\", \"Plaintiff\"]",
};

pub(super) const BAD_CASELOAD_KEY: Explanation = Explanation {
    title: "caseload's own column was damaged",
    text: "\
        A rejects file carries `caseload_key`, which brings the row's key back even\n\
        if a spreadsheet has changed the key column, and `caseload_escaped`, which\n\
        names the cells that got an apostrophe. One of them was edited. Put back\n\
        what stood there, such as key:[\"00123\"], or write the file anew under\n\
        another name:\n\n\
        \x20   caseload export --rejects again.csv",
};

pub(super) const MISSING_PARTNER_FIRM: Explanation = Explanation {
    title: "no partner firm is named",
    text: "\
        Nothing says which firm handles this case. The platform would make a draft\n\
        that nobody is working on. Fill in the firm's column; or give one firm for\n\
        all such rows with --partner-firm-id; or, if drafts are what you want, let\n\
        them through with --allow-drafts.",
};

pub(super) const UNKNOWN_PARTNER_FIRM: Explanation = Explanation {
    title: "a firm that is not in the table",
    text: "\
        The config has a [partner_firms] table, and this is neither one of its\n\
        names nor one of its ids. A wrong firm would see the client's data. Mend the\n\
        spelling in the cell, or add the firm with its id:\n\n\
        \x20   [partner_firms]\n\
        \x20   \"Smith & Partners\" = \"firm_123\"",
};

pub(super) const BAD_PARTNER_FIRM: Explanation = Explanation {
    title: "a value that can't be a firm's id",
    text: "\
        The firm's cell has spaces in it, or says something like N/A. Without a\n\
        [partner_firms] table it must be the firm's id. Put the id there, or list\n\
        the names that people use with their ids under [partner_firms] in\n\
        caseload.toml.",
};

pub(super) const IMPLAUSIBLE_DATE: Explanation = Explanation {
    title: "a date in the future, or more than 120 years ago",
    text: "\
        The date can be read, but it lies ahead of today or more than 120 years\n\
        back; often a two-digit year was taken for the wrong century.\n\
        Compare it with the case file. It is a warning: right dates go out as they\n\
        are.",
};

pub(super) const LOOKS_CONFIDENTIAL: Explanation = Explanation {
    title: "a confidential column is about to be sent",
    text: "\
        The values look like social security numbers, and no rule names their\n\
        column: it would go out only because every column does. Delete the column,\n\
        or list under [fields] what is to be sent, without `passthrough`. If it is\n\
        meant, name it there:\n\n\
        \x20   [fields.SSN]\n\
        \x20   from = \"SSN\"",
};
