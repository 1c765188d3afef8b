//! What becomes of a case, by the words of the ledger and of output.

use super::Explanation;

pub(super) const IMPORTED: Explanation = Explanation {
    title: "the server accepted the case",
    text: "\
        The case is on the platform; its id is in the ledger. It is never sent\n\
        again, whatever the input says. If it was deleted on the platform and is to\n\
        be made anew, say so first:\n\n\
        \x20   caseload resolve --removed KEY",
};

pub(super) const REJECTED: Explanation = Explanation {
    title: "the server said no, so the case does not exist",
    text: "\
        The server refused the case, and nothing was made; its message says why. The\n\
        next run sends it again, behind all cases that were not tried yet. Write the\n\
        rejected rows to a file, mend them there and import that file; it keeps\n\
        their keys:\n\n\
        \x20   caseload export --rejects rejects.csv\n\
        \x20   caseload import rejects.csv",
};

pub(super) const NOT_SENT: Explanation = Explanation {
    title: "the case was proved never processed",
    text: "\
        The call never reached the server, or the server said that it did not\n\
        process it, or you said so with `resolve`. The case does not exist. Nothing\n\
        is to be mended: run the same import again, and it is sent.",
};

pub(super) const IN_DOUBT: Explanation = Explanation {
    title: "the case may or may not exist",
    text: "\
        The call went out and no clear answer came back: a time-out, a broken\n\
        connection, a server error. The server may have made the case all the same.\n\
        Sending again could make it twice, so it is held back until you say what is\n\
        true. Look it up on the platform, by its key, its names and the time of the\n\
        call, then:\n\n\
        \x20   caseload export --in-doubt in-doubt.csv\n\
        \x20   caseload resolve --imported KEY=CASE_ID\n\
        \x20   caseload resolve --not-imported KEY\n\n\
        `caseload resolve` alone goes through them one by one. --resend-in-doubt\n\
        sends them once more, knowing that it can make a second case.",
};

pub(super) const REMOVED: Explanation = Explanation {
    title: "gone on the platform, by your word",
    text: "\
        You said with `resolve --removed` that this case was deleted on the\n\
        platform. The next run that has it in its input sends it again. `caseload\n\
        resolve --undo KEY` takes your word back.",
};

pub(super) const SENDING: Explanation = Explanation {
    title: "a call is under way",
    text: "\
        The case was claimed and its call may be on its way at this moment. If the\n\
        run that claimed it has died, nobody knows what became of the call, and the\n\
        next start makes it in doubt. See `caseload explain in_doubt`.",
};

pub(super) const POSSIBLE_TWIN: Explanation = Explanation {
    title: "imported after a doubt, perhaps twice",
    text: "\
        An attempt at this case was left in doubt, and a later one succeeded. If the\n\
        first had been carried out too, the platform has the case twice. Look it up\n\
        there by its key and names, and delete one if there are two. The mark stays,\n\
        so that `status` and `export` keep showing it.",
};

pub(super) const CHANGED: Explanation = Explanation {
    title: "imported, and the row has changed since",
    text: "\
        The case was imported earlier, and its row now says something else. It is\n\
        told and not sent: the import only makes cases, and sending would make a\n\
        second one. Change the case on the platform by hand if the change matters.\n\
        With --strict a changed row makes the exit code 1.",
};

pub(super) const UNTRIED: Explanation = Explanation {
    title: "valid, and not sent yet",
    text: "\
        The row is in order, and the run ended before its turn came: it was stopped,\n\
        or --limit was reached. Nothing of it exists on the platform. Run the same\n\
        command again; it goes on where it stopped.",
};

pub(super) const ECHO_DIFFERS: Explanation = Explanation {
    title: "fields came back otherwise than sent",
    text: "\
        The server's answer repeats the case in your field names, and some fields\n\
        differ from what was sent or are missing. The mapping may drop or change\n\
        them, and then every case would be wrong in the same way. So the first calls\n\
        are shown and asked about: look the case up on the platform. If it is right\n\
        there, go on; else have the mapping mended first. With --strict the run\n\
        stops.",
};
