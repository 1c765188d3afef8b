//! The web page about an import: what it counts and lists, what it keeps to
//! itself, and how it behaves in a browser.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::server::{Server, created, status};
use crate::support::{Home, mixed_server};

/// A ledger with two cases imported, one of them in a stage and settled, two in
/// doubt, one rejected and two drafts.
fn mixed() -> Home {
    let home = Home::new();
    let server = mixed_server();
    home.people("cases.csv", &["a", "b", "doubt-1", "doubt-2", "bad-1"]);
    let import = home.import_files(&server.url(), &["cases.csv"]);
    import.run().exits(4);
    home.write("drafts.csv", "id,partnerFirmId,Name\nd1,,Dee\nd2,,Dan\n");
    let drafts = home.import_files(&server.url(), &["drafts.csv"]);
    drafts.arg("--allow-drafts").run().exits(0);
    let listener = home.listen(&[]);
    for (event, body) in [
        ("stages", r#"{"_id":"id-a","stage":"Treating"}"#),
        ("settlements", r#"{"_id":"id-a","amount":9000}"#),
    ] {
        assert_eq!(listener.deliver(event, body), 200);
    }
    home
}

fn export(home: &Home, args: &[&str]) -> String {
    let export = home.caseload(&["export", "--html", "report.html", "--force"]);
    let export = export.args(&["--ledger", "ledger.db"]).args(args);
    export.run().exits(0).says("to report.html");
    home.read("report.html")
}

/// The text between two others.
fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let (_, rest) = text
        .split_once(start)
        .unwrap_or_else(|| panic!("no {start}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end}")).0
}

/// What the page's script reads.
fn data(page: &str) -> Value {
    let json = between(page, "id=\"data\">", "</script>");
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// How many rows each need has: as it is counted, and as rows say.
fn needs(page: &str) -> BTreeMap<&'static str, (u64, u64)> {
    let names = [
        "in doubt", "twin", "rejected", "not sent", "draft", "no news",
    ];
    let data = data(page);
    let rows = data["rows"].as_array().unwrap();
    let needs = names.into_iter().enumerate().map(|(bit, name)| {
        let has = |row: &&Value| row[0].as_u64().unwrap() & (1 << bit) != 0;
        let listed = rows.iter().filter(has).count() as u64;
        (name, (data["counts"][bit].as_u64().unwrap(), listed))
    });
    needs.filter(|(_, counts)| *counts != (0, 0)).collect()
}

/// The number of one of the cards.
fn card(page: &str, name: &str) -> u64 {
    let card = between(page, &format!("id=\"count-{name}\""), "</div>");
    between(card, "<dd>", "<").parse().unwrap()
}

/// A table of the page: each row's name with its number.
fn table(page: &str, title: &str) -> BTreeMap<String, u64> {
    let section = between(page, &format!("<h2>{title}</h2>"), "</section>");
    let rows = section.split("<th scope=\"row\">").skip(1).map(|row| {
        let number = between(row, "<td class=\"n\">", "</td>").replace(',', "");
        (
            row.split_once('<').unwrap().0.to_owned(),
            number.parse().unwrap(),
        )
    });
    rows.collect()
}

fn tables(rows: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let rows = rows.iter();
    rows.map(|(name, number)| ((*name).to_owned(), *number))
        .collect()
}

#[test]
fn the_page_counts_what_the_ledger_has() {
    let home = mixed();
    let page = export(&home, &[]);
    let status = home.run(&["status", "--ledger", "ledger.db", "--output", "json"]);
    let status = status.exits(0).json().swap_remove(0);
    for state in ["total", "imported", "in_doubt", "rejected"] {
        assert_eq!(json!(card(&page, state)), status["cases"][state], "{state}");
    }
    assert_eq!(card(&page, "needs"), 5);
    let listed = [
        ("draft", (2, 2)),
        ("in doubt", (2, 2)),
        ("rejected", (1, 1)),
    ];
    assert_eq!(needs(&page), BTreeMap::from(listed));
    assert_eq!(
        table(&page, "Partner firms"),
        tables(&[("firm_1", 5), ("no firm", 2)])
    );
    let reason = [("422: unknown CaseType of Aaaaaa", 1)];
    assert_eq!(table(&page, "Why cases were rejected"), tables(&reason));
    let title = "What became of the cases";
    assert_eq!(table(&page, title), tables(&[("Treating", 1)]));
    let facts = between(&page, title, "</dl>");
    for fact in ["<dt>settled</dt><dd>1</dd>", "partner firm</dt><dd>2</dd>"] {
        assert!(facts.contains(fact), "{facts}");
    }
    assert_eq!(status["lives"]["drafts"], 2);
    assert_eq!(status["lives"]["stages"], json!({"Treating": 1}));
    let calls = between(&page, "<h2>Calls</h2>", "</section>");
    assert!(calls.contains("\"7 calls from 20"), "{calls}");
    for (state, label, number) in [
        ("imported", "imported", 4),
        ("in_doubt", "in doubt", 2),
        ("rejected", "rejected", 1),
    ] {
        let key = format!("<rect class=\"{state}\" width=\"10\" height=\"10\" rx=\"2\"/></svg>");
        assert!(
            calls.contains(&format!("{key}{label} <b>{number}</b>")),
            "{calls}"
        );
    }
    // A selection has its own counts.
    let page = export(&home, &["--run", "1", "--state", "in_doubt"]);
    assert_eq!((card(&page, "total"), card(&page, "imported")), (2, 0));
    assert!(page.contains(" · run 1 · "), "{page}");
    assert!(!page.contains("What became of the cases"), "{page}");
}

#[test]
fn a_firm_is_shown_by_its_name_and_a_case_with_its_link() {
    let home = mixed();
    home.write(
        "caseload.toml",
        "[partner_firms]\n\"Smith & Sons\" = \"firm_1\"\n\
         [platform]\ncase_url = \"https://app.example.com/cases/{case_id}\"\n",
    );
    let page = export(&home, &[]);
    let firms = tables(&[("Smith &#38; Sons", 5), ("no firm", 2)]);
    assert_eq!(table(&page, "Partner firms"), firms);
    let data = data(&page);
    assert_eq!(
        data["options"]["case_url"],
        "https://app.example.com/cases/{case_id}"
    );
    let rows = data["rows"].as_array().unwrap();
    assert_eq!((&rows[4][1], &rows[4][7]), (&json!("d2"), &json!("id-d2")));
    assert_eq!(
        data["texts"][rows[0][2].as_u64().unwrap() as usize],
        "Smith & Sons"
    );
}

#[test]
fn personal_data_is_shown_only_where_it_is_asked_for() {
    let home = mixed();
    let page = export(&home, &[]);
    for personal in ["Okafor", "Renée", "Fell over"] {
        assert!(!page.contains(personal), "{personal}");
    }
    assert!(page.contains("\"bad-1\""));
    let page = export(&home, &["--with-personal-data"]);
    assert!(page.contains("422: unknown CaseType of Okafor"));
    assert!(page.contains("\"Renée Okafor\""));
    assert!(
        !page.contains("Fell over"),
        "the payload itself is never shown"
    );
    let page = export(&home, &["--redact"]);
    assert!(!page.contains("bad-1") && page.contains("\"aaa-9\""));
    let refused = home.run(&["export", "--results", "r.csv", "--with-personal-data"]);
    refused.exits(2).says("--html");
}

#[test]
fn the_file_is_private_and_replaced_only_with_force() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = mixed();
    export(&home, &[]);
    let metadata = std::fs::metadata(home.path("report.html")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let export = |file: &str| home.run(&["export", "--html", file, "--ledger", "ledger.db"]);
    export("report.html")
        .exits(2)
        .says("already exists (use --force to replace it)");
    export("report.csv")
        .exits(2)
        .says("the output is HTML, but the name ends in .csv; use .html");
    let done = home.run(&[
        "export",
        "--html",
        "b.html",
        "--ledger",
        "ledger.db",
        "--output",
        "json",
    ]);
    let files = json!([{"output": "report", "path": "b.html", "cases": 7}]);
    assert_eq!(done.exits(0).json()[0]["files"], files);
}

const HOSTILE: [&str; 5] = [
    "</script><script>document.title='owned'</script>",
    "\"><img src=x onerror=document.title='owned'>",
    "=HYPERLINK(\"http://x\")",
    "{{policy}} &lt;b&gt; <!--",
    "a\u{2028}b'`${document.title='owned'}",
];

/// Any white space is a space in a key.
fn key_of(text: &str) -> String {
    text.replace('\u{2028}', " ")
}

/// A ledger whose keys, firms, messages and stages are hostile.
fn hostile() -> Home {
    let home = Home::new();
    let server = Server::start(|request| match request.index {
        0 | 1 => created(&format!("id<{}", request.index)),
        index => {
            let message = HOSTILE[index % HOSTILE.len()];
            let answer = status(422).json(json!({ "message": message }).to_string());
            answer.into()
        }
    });
    let record = |key: &str, firm: &str| json!({"id": key, "partnerFirmId": firm, "name": key});
    let firsts = ["first", "second"].map(|key| record(key, "firm-0"));
    let others = HOSTILE.iter().enumerate();
    let others = others.map(|(n, text)| record(text, &format!("firm-{n}")));
    let records: Vec<_> = firsts.into_iter().chain(others).collect();
    home.write("cases.json", json!(records).to_string());
    let names = HOSTILE.iter().enumerate();
    let names = names.map(|(n, text)| format!("{} = \"firm-{n}\"\n", json!(text)));
    let names: String = names.collect();
    home.write(
        "caseload.toml",
        format!("[case]\npassthrough = true\n[partner_firms]\n{names}"),
    );
    home.import_files(&server.url(), &["cases.json"])
        .run()
        .exits(1);
    let listener = home.listen(&[]);
    for text in HOSTILE {
        let body = json!({"_id": "id<0", "stage": text.split_at(20).0}).to_string();
        assert_eq!(listener.deliver("stages", &body), 200);
    }
    home
}

#[test]
fn no_text_of_a_case_becomes_a_part_of_the_page() {
    let home = hostile();
    for args in [&[][..], &["--with-personal-data"]] {
        let page = export(&home, args);
        assert_eq!(page.matches("<script").count(), 2, "{page}");
        assert_eq!(page.matches("</script").count(), 2);
        assert_eq!(page.matches("<img").count(), 0);
        let json = between(&page, "id=\"data\">", "</script>");
        assert!(!json.contains(['<', '>', '&', '\u{2028}']), "{json}");
        let data = data(&page);
        for text in HOSTILE {
            let rows = data["rows"].as_array().unwrap();
            let row = rows.iter().find(|row| row[1] == key_of(text)).unwrap();
            assert_eq!(data["texts"][row[2].as_u64().unwrap() as usize], *text);
        }
        let firms = table(&page, "Partner firms");
        assert!(
            firms.contains_key(
                "&#34;&#62;&#60;img src=x onerror=document.title=&#39;owned&#39;&#62;"
            )
        );
        assert!(
            firms.contains_key("{{policy}} &#38;lt;b&#38;gt; &#60;!--"),
            "{firms:?}"
        );
    }
}

/// Adds this many cases in doubt, each with an id and a message of its own.
fn add_cases(home: &Home, number: u64, message: &str) {
    let conn = Connection::open(home.path("ledger.db")).unwrap();
    let numbers = format!(
        "WITH RECURSIVE numbers (n) AS
           (SELECT 1000 UNION ALL SELECT n + 1 FROM numbers WHERE n < {})",
        999 + number
    );
    let cases = "INSERT INTO cases (no, key_digest, key, state, partner_firm, file, line, attempts,
        updated_at) SELECT n, randomblob(16), '[\"2026-PI-' || n || '\"]', 'in_doubt', 'firm_' || (n % 40),
        1, n, 1, 1780000000000 + n * 150 FROM numbers";
    let attempts = "INSERT INTO attempts (case_no, nth, run, started_at, ended_at, outcome, status,
        case_id, message) SELECT n, 1, 1, 1780000000000 + n * 150, 1780000000000 + n * 150, 'in_doubt',
        502, '019a2b3c-0000-7000-8000-00000000' || n, ?1 || n FROM numbers";
    conn.execute(&format!("{numbers} {cases}"), []).unwrap();
    conn.execute(&format!("{numbers} {attempts}"), [message])
        .unwrap();
}

#[test]
fn ten_thousand_cases_fit_and_more_are_counted() {
    let home = mixed();
    add_cases(&home, 10_000, "the gateway gave up, ");
    let page = export(&home, &[]);
    assert!(page.len() <= 1_000_000, "{}", page.len());
    assert_eq!(needs(&page)["in doubt"], (10_002, 10_002));
    assert_eq!(data(&page)["rows"].as_array().unwrap().len(), 10_005);
    assert_eq!(table(&page, "Partner firms")["others"], 7_002);
    // What does not fit is left out of the list, the least urgent first.
    let home = mixed();
    add_cases(&home, 9_000, &"<&".repeat(60));
    let page = export(&home, &["--with-personal-data"]);
    assert!(page.len() <= 1_000_000, "{}", page.len());
    let (counted, listed) = needs(&page)["in doubt"];
    assert_eq!(counted, 9_002);
    assert!((500..9_000).contains(&listed), "{listed}");
    assert_eq!(needs(&page)["draft"], (2, 0));
}

#[test]
fn a_run_leaves_a_report_about_its_own_cases() {
    let home = Home::new();
    let server = mixed_server();
    home.people("cases.csv", &["a"]);
    home.import_files(&server.url(), &["cases.csv"])
        .run()
        .exits(0);
    home.write(
        "more.csv",
        "id,partnerFirmId,FirstName,LastName,Summary\n00a,firm_1,Ann,Lee,x\nbad-9,firm_1,Bo,Vu,y\n\
         ,firm_1,Cy,Wu,z\ne,firm_1,Di,Xu,w\n",
    );
    let import = home.import_files(&server.url(), &["more.csv"]);
    import
        .args(&["--out", "out", "--skip-invalid"])
        .run()
        .exits(1);
    let page = home.read("out/2/report.html");
    let found = needs(&page);
    assert_eq!(found["rejected"], (1, 1), "{found:?}");
    assert_eq!((card(&page, "total"), card(&page, "imported")), (2, 1));
    for personal in ["Okafor", "Ann", "Wu"] {
        assert!(!page.contains(personal), "{personal}");
    }
}

/// A page in a browser without a screen; none where it is not installed. The
/// outputs are the page as it is then, and what it logged.
fn browse(home: &Home, page: &Path) -> Option<Output> {
    let mut chromium = Command::new("timeout");
    chromium.args([
        "--kill-after=5",
        "90",
        "chromium",
        "--headless",
        "--no-sandbox",
    ]);
    chromium.args([
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
    ]);
    chromium.args([
        "--disable-sync",
        "--no-first-run",
        "--disable-dev-shm-usage",
    ]);
    chromium.args([
        "--enable-logging=stderr",
        "--v=0",
        "--virtual-time-budget=5000",
        "--dump-dom",
    ]);
    chromium.arg(format!(
        "--user-data-dir={}",
        home.path("browser").display()
    ));
    chromium.arg(format!("file://{}", page.display()));
    chromium.env("HOME", home.folder()).stdin(Stdio::null());
    let output = chromium.output().unwrap();
    match output.status.code() {
        Some(127) => {
            println!("skipped: chromium is not installed");
            None
        }
        Some(0) => Some(output),
        Some(124) => panic!("the browser did not end within 90 s: {output:?}"),
        _ => panic!("{output:?}"),
    }
}

fn logged(output: &Output) -> String {
    let log = String::from_utf8_lossy(&output.stderr);
    let lines = log.lines().filter(|line| line.contains("CONSOLE"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Clicks through the page, and writes what it saw into it.
const VISITOR: &str = include_str!("report/visitor.js");

/// What [`VISITOR`] saw of a page whose policy lets it in; none without a browser.
fn visit(home: &Home, page: &str) -> Option<Value> {
    let hash = format!("script-src {}", between(page, "script-src ", ";"));
    let page = page.replace(&hash, "script-src 'unsafe-inline'");
    let page = page.replace("</body>", &format!("<script>{VISITOR}</script></body>"));
    let output = browse(home, &home.write("visited.html", page))?;
    let dom = String::from_utf8_lossy(&output.stdout);
    assert!(dom.contains("id=\"seen\""), "{dom}\n{}", logged(&output));
    let seen = between(&dom, "id=\"seen\">", "</pre>");
    let seen = percent_encoding::percent_decode_str(seen)
        .decode_utf8()
        .unwrap();
    Some(serde_json::from_str(&seen).unwrap())
}

#[test]
fn the_page_works_in_a_browser() {
    let home = mixed();
    home.write(
        "caseload.toml",
        "[platform]\ncase_url = \"https://app.example.com/cases/{case_id}\"\n",
    );
    add_cases(&home, 60, "");
    let page = export(&home, &[]);
    let Some(output) = browse(&home, &home.path("report.html")) else {
        return;
    };
    assert_eq!(logged(&output), "", "the page logs nothing");
    let dom = String::from_utf8_lossy(&output.stdout);
    assert!(dom.contains("1–50 of 65"), "{dom}");
    let seen = visit(&home, &page).unwrap();
    let seen = |name: &str| seen[name].clone();
    assert_eq!(seen("keys").as_array().unwrap().len(), 50);
    assert_eq!(seen("shown"), "1–50 of 65");
    assert_eq!(seen("drafts"), json!(["d1", "d2"]));
    assert_eq!(seen("pressed"), "truefalse");
    assert!(seen("advice").as_str().unwrap().contains("partner firm"));
    let links = ["d1", "d2"].map(|key| format!("https://app.example.com/cases/id-{key}"));
    assert_eq!(seen("links"), json!(links));
    assert_eq!(seen("ascending")[0], "2026-PI-1000");
    assert_eq!(seen("descending")[0], "doubt-2");
    assert!(
        seen("sort")
            .as_array()
            .unwrap()
            .contains(&json!("Case descending"))
    );
    assert_eq!(seen("found"), json!(["bad-1"]));
    assert_eq!((seen("printed"), seen("page")), (json!(65), json!(50)));
    assert_eq!(seen("second"), "15, 51–65 of 65");
    assert_eq!((seen("labels"), seen("scopes")), (json!(true), json!(true)));
}

#[test]
fn hostile_texts_stay_texts_in_a_browser() {
    let home = hostile();
    let page = export(&home, &["--with-personal-data"]);
    let Some(output) = browse(&home, &home.path("report.html")) else {
        return;
    };
    assert_eq!(logged(&output), "");
    // Also where the policy would let any script run.
    let seen = visit(&home, &page).unwrap();
    assert_eq!(seen["title"], "Case import report");
    let mut keys: Vec<_> = seen["keys"].as_array().unwrap().clone();
    let mut expected = HOSTILE.map(|text| Value::from(key_of(text))).to_vec();
    keys.sort_by_key(Value::to_string);
    expected.sort_by_key(Value::to_string);
    assert_eq!(keys, expected);
}
