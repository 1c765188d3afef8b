//! The jobs in `examples/ci`: what they run is taken from the files and run
//! against the sandbox, and the plan of a dry run is what the import gets.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use saphyr::{LoadableYamlNode as _, YamlOwned};

use crate::support::{Done, Home, KEY, Program, Sandbox, example};

const INSTALL: &str = "install --locked --git https://github.com/your-org/caseload";

/// A repository with these case files, and the config beside them.
fn repository(files: &[(&str, &str)]) -> Home {
    let home = Home::new();
    std::fs::create_dir(home.path("cases")).unwrap();
    for (name, text) in files {
        home.write(&format!("cases/{name}"), text);
    }
    let config = std::fs::read(example("caseload.toml")).unwrap();
    home.write("caseload.toml", config);
    home
}

/// The first three cases of the example.
fn three_cases() -> String {
    let export = std::fs::read_to_string(example("export.csv")).unwrap();
    export.split_inclusive('\n').take(4).collect()
}

/// Like the three cases, with another name in one of them.
fn corrected_cases() -> String {
    three_cases().replace("Denise", "Denisa")
}

fn yaml(name: &str) -> YamlOwned {
    let text = std::fs::read_to_string(example(name)).unwrap();
    YamlOwned::load_from_str(&text).unwrap().remove(0)
}

/// The texts of a table, such as an environment.
fn texts(table: Option<&YamlOwned>) -> Vec<(String, String)> {
    let pairs = table.and_then(YamlOwned::as_mapping).into_iter().flatten();
    pairs
        .map(|(name, value)| {
            let [name, value] = [name, value].map(|text| text.as_str().unwrap().to_owned());
            (name, value)
        })
        .collect()
}

fn list(yaml: &YamlOwned) -> &[YamlOwned] {
    yaml.as_sequence().unwrap()
}

fn with(program: Program, environment: &[(String, String)]) -> Program {
    environment
        .iter()
        .fold(program, |program, (name, value)| program.env(name, value))
}

/// Creates the ledger by the command in a file's comments. Returns its id.
fn new_ledger(home: &Home, file: &str, url: &str) -> String {
    let text = std::fs::read_to_string(example(file)).unwrap();
    let command = text.lines().find(|line| line.ends_with(" --new-ledger"));
    let command = command.unwrap().trim_start_matches(['#', ' ']);
    let create = home.shell("sh", &["-c", command]);
    let create = create
        .env("LEXAMICA_BASE_URL", url)
        .env("LEXAMICA_PUBLIC_KEY", KEY)
        .env("CASELOAD_LEDGER", "ledger.db");
    let created = create.run().exits(0).err;
    let (_, id) = created.split_once("CASELOAD_LEDGER_ID=").unwrap();
    id.lines().next().unwrap().to_owned()
}

/// A stand-in for a runner of GitHub Actions.
struct GitHub<'a> {
    home: &'a Home,
    workflow: YamlOwned,
    /// What its expressions stand for.
    known: BTreeMap<String, String>,
}

impl<'a> GitHub<'a> {
    fn new(home: &'a Home, url: &str) -> Self {
        let known = [
            ("vars.LEXAMICA_BASE_URL", url),
            ("vars.LEXAMICA_ORG_ID", "org_1"),
            ("vars.LEXAMICA_MAP_ID", "map_1"),
            ("vars.CASELOAD_LEDGER", "ledger.db"),
            ("vars.CASELOAD_LEDGER_ID", ""),
            ("secrets.PGPASSWORD", "secret"),
            ("secrets.LEXAMICA_PUBLIC_KEY", KEY),
        ];
        Self {
            home,
            workflow: yaml("ci/github-actions.yml"),
            known: known
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        }
    }

    fn filled(&self, text: &str) -> String {
        let expression = text.strip_prefix("${{ ");
        match expression.and_then(|rest| rest.strip_suffix(" }}")) {
            Some(name) => (self.known.get(name).unwrap_or_else(|| panic!("{name}"))).clone(),
            None => text.to_owned(),
        }
    }

    fn environment(&self, levels: &[&YamlOwned]) -> Vec<(String, String)> {
        let set = levels
            .iter()
            .flat_map(|level| texts(level.as_mapping_get("env")));
        set.map(|(name, value)| (name, self.filled(&value)))
            .collect()
    }

    /// Runs the steps of a job. After one that failed, only those that always run.
    fn run(&mut self, name: &str) -> Vec<Done> {
        let workflow = self.workflow.clone();
        let job = &workflow["jobs"][name];
        let mut done: Vec<Done> = Vec::new();
        let mut installed = false;
        for step in list(&job["steps"]) {
            let text = |name| step.as_mapping_get(name).and_then(YamlOwned::as_str);
            let Some(script) = text("run") else {
                assert_eq!(text("uses"), Some("actions/checkout@v4"));
                continue;
            };
            if script.contains(" install ") {
                assert!(script.ends_with(&format!("cargo +stable {INSTALL}\n")));
                installed = true;
                continue;
            }
            assert!(installed);
            let failed = done.iter().any(|done| !done.status.success());
            let always = text("if").is_some_and(|always| always.contains("!cancelled()"));
            if failed && !always {
                continue;
            }
            let environment = self.environment(&[&workflow, job, step]);
            let bash = (self.home).shell("bash", &["--noprofile", "--norc", "-eo", "pipefail"]);
            let bash = with(bash.args(&["-c", script]), &environment)
                .env("CI", "true")
                .env("GITHUB_STEP_SUMMARY", "summary.md")
                .env("GITHUB_OUTPUT", "output");
            done.push(bash.run());
            if let Some(id) = text("id") {
                self.take_outputs(&format!("steps.{id}"), &self.home.read("output"));
            }
        }
        for (output, value) in texts(job.as_mapping_get("outputs")) {
            let value = self.filled(&value);
            self.take_outputs(&format!("needs.{name}"), &format!("{output}={value}"));
        }
        done
    }

    fn take_outputs(&mut self, of: &str, lines: &str) {
        for line in lines.lines() {
            let (name, value) = line.split_once('=').unwrap();
            (self.known).insert(format!("{of}.outputs.{name}"), value.to_owned());
        }
    }

    /// The tables of the last job.
    fn summary(&self) -> String {
        let summary = self.home.read("summary.md");
        std::fs::remove_file(self.home.path("summary.md")).unwrap();
        summary
    }
}

/// Whether the summaries can be made here, as on every runner of GitHub.
fn has_jq() -> bool {
    let mut jq = Command::new("jq");
    let found = jq.arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("skipped: jq is not installed");
    }
    found
}

#[test]
fn a_pull_request_on_github_shows_problems_without_values() {
    if !has_jq() {
        return;
    }
    let broken = std::fs::read_to_string(example("broken.csv")).unwrap();
    let home = repository(&[("broken.csv", &broken)]);
    let mut github = GitHub::new(&home, "https://api.example.com");
    let done = github.run("check");
    assert_eq!(done.len(), 2, "the check and its table");
    let [check, table]: [Done; 2] = done.try_into().unwrap();
    let check = check
        .exits(3)
        .says("::error file=cases/broken.csv,line=3,title=bad-date::Date of Loss");
    table.exits(0);
    let summary = github.summary();
    assert!(
        summary.starts_with("11 of 20 records are valid.\n\n| | problem |"),
        "{summary}"
    );
    assert!(
        summary.contains("\n| error | missing-required | Client | 2 |\n"),
        "{summary}"
    );
    let everything = [check.err, check.out, home.read("check.ndjson"), summary].concat();
    for value in ["Pruitt", "MVAA", "13/45/2026", "20417"] {
        assert!(broken.contains(value));
        assert!(!everything.contains(value), "{value} is in {everything}");
    }

    let home = repository(&[("july.csv", &three_cases())]);
    let mut github = GitHub::new(&home, "https://api.example.com");
    assert_eq!(github.run("check").len(), 4);
    let tables = "3 of 3 records are valid.\n\n\n\
                  3 of 3 records would be sent if none was imported yet.\n\n\
                  | partner firm | cases |\n|---|--:|\n\
                  | firm_delgado | 1 |\n| firm_smith | 2 |\n";
    assert_eq!(github.summary(), tables);
}

#[test]
fn github_imports_the_plan_that_was_approved() {
    if !has_jq() {
        return;
    }
    let sandbox = Sandbox::start(&[]);
    let home = repository(&[("july.csv", &three_cases())]);
    let mut github = GitHub::new(&home, &sandbox.url());
    let import = github.workflow["jobs"]["import"].clone();
    assert_eq!(import["needs"].as_str(), Some("plan"));
    assert_eq!(import["concurrency"].as_str(), Some("caseload"));
    let condition = "needs.plan.outputs.to_send != '0'";
    assert_eq!(import["if"].as_str(), Some(condition));

    let id = new_ledger(&home, "ci/github-actions.yml", &sandbox.url());
    (github.known).insert("vars.CASELOAD_LEDGER_ID".to_owned(), id);

    all_succeed(github.run("plan"), 2);
    let first = github.known["needs.plan.outputs.plan"].clone();
    assert!(first.ends_with("-3"), "{first}");
    let summary = github.summary();
    assert!(summary.contains(&format!(
        "3 of 3 records would be sent, 0 are imported already. Plan `{first}`"
    )));

    // What was approved is not what is there now.
    home.write("cases/july.csv", corrected_cases());
    let refused = github.run("import");
    assert_eq!(refused[0].status.code(), Some(2), "{}", refused[0]);
    assert_eq!(sandbox.calls().len(), 0);
    assert!(github.summary().contains("\nStopped: "));

    home.write("cases/july.csv", three_cases());
    all_succeed(github.run("import"), 2);
    assert_eq!(sandbox.cases().len(), 3);
    assert_eq!(
        github.summary(),
        "| outcome | cases |\n|---|--:|\n| imported | 3 |\n"
    );

    home.write("output", "");
    all_succeed(github.run("plan"), 2);
    assert_eq!(github.known["needs.plan.outputs.to_send"], "0");
}

fn all_succeed(done: Vec<Done>, number: usize) {
    assert_eq!(done.len(), number);
    for done in done {
        done.exits(0);
    }
}

#[test]
fn gitlab_imports_the_plan_that_a_person_has_read() {
    let sandbox = Sandbox::start(&[]);
    let home = repository(&[("july.csv", &three_cases())]);
    let jobs = yaml("ci/gitlab-ci.yml");
    let install = list(&jobs["default"]["before_script"])[0].as_str();
    assert_eq!(install, Some(format!("cargo {INSTALL}").as_str()));
    assert_eq!(jobs["import"]["resource_group"].as_str(), Some("caseload"));
    assert_eq!(
        list(&jobs["import"]["rules"])[0]["when"].as_str(),
        Some("manual")
    );

    let url = sandbox.url();
    let id = new_ledger(&home, "ci/gitlab-ci.yml", &url);
    let run = |job: &str, variables: &[(&str, &str)]| {
        let lines = list(&jobs[job]["script"]).iter();
        let lines: Vec<&str> = lines.map(|line| line.as_str().unwrap()).collect();
        let mut bash = home
            .shell("bash", &["-eo", "pipefail", "-c", &lines.join("\n")])
            .env("CI", "true")
            .env("LEXAMICA_BASE_URL", &url);
        for (name, value) in variables {
            bash = bash.env(name, value);
        }
        bash.run()
    };
    // A merge request has none of the protected variables.
    let check = run("check", &[]).exits(0).never_prints("Pruitt");
    check.prints("\nplan: ");

    let protected = [
        ("CASELOAD_LEDGER", "ledger.db"),
        ("CASELOAD_LEDGER_ID", &id),
        ("LEXAMICA_PUBLIC_KEY", KEY),
    ];
    run("plan", &protected).exits(0).never_prints("Pruitt");
    let reports = &jobs["plan"]["artifacts"]["reports"];
    let handed_on = home.read(reports["dotenv"].as_str().unwrap());
    let (name, plan) = handed_on.trim_end().split_once('=').unwrap();
    let mut variables = protected.to_vec();
    variables.push((name, plan));
    home.write("cases/july.csv", corrected_cases());
    run("import", &variables).exits(2);
    assert_eq!(sandbox.calls().len(), 0);
    home.write("cases/july.csv", three_cases());
    run("import", &variables).exits(0);
    assert_eq!(sandbox.cases().len(), 3);
}

#[test]
fn cron_imports_a_plan_when_it_is_approved() {
    let sandbox = Sandbox::start(&[]);
    let home = Home::new();
    for folder in ["caseload/cases", ".cargo/bin"] {
        std::fs::create_dir_all(home.path(folder)).unwrap();
    }
    home.write("caseload/cases/july.csv", three_cases());
    home.write("caseload/public.key", KEY);
    let config = std::fs::read_to_string(example("caseload.toml")).unwrap();
    let config = config.replace("https://api.example.com", &sandbox.url());
    home.write("caseload/caseload.toml", config);
    // It installs what this leaves on the path.
    let program = env!("CARGO_BIN_EXE_caseload");
    let cargo =
        format!("#!/bin/sh\necho \"$@\" >> ~/installed\nln -s {program} ~/.cargo/bin/caseload\n");
    make_executable(&home, ".cargo/bin/cargo", &cargo);

    let script = example("ci/cron.sh");
    home.shell("sh", &["-n", &script]).run().exits(0);
    let run = |words: &[&str]| {
        let shell = home.shell("sh", &[&script]).args(words);
        shell.env("PATH", "/usr/bin:/bin").run()
    };
    run(&[]).exits(2).says("usage: ");
    run(&["create"]).exits(0).says("created ledger");
    assert_eq!(home.read("installed"), format!("{INSTALL}\n"));
    let dry_run = run(&["plan"]).exits(0).never_prints("Pruitt");
    let (_, plan) = dry_run.out.split_once("\nplan: ").unwrap();
    run(&["import"]).exits(0).prints("no plan is approved");
    run(&["approve", plan.lines().next().unwrap()]).exits(0);

    home.write("caseload/cases/july.csv", corrected_cases());
    run(&["import"]).exits(2);
    assert_eq!(sandbox.calls().len(), 0);
    home.write("caseload/cases/july.csv", three_cases());
    run(&["import"]).exits(0).never_says("Pruitt");
    assert_eq!(sandbox.cases().len(), 3);
    run(&["import"]).exits(0);
    assert_eq!(sandbox.calls().len(), 3);
}

fn make_executable(home: &Home, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = home.write(name, text);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
}
