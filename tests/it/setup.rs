//! The mapping and the subscriptions on the platform: each is created once.

use serde_json::{Value, json};

use crate::server::{Server, created, react, status};
use crate::support::{Home, KEY, Program, Sandbox};

const PRIVATE_KEY: &str = "sk_test_9c2e7a";
const HOOKS: &str = "https://hooks.example.com/lexamica";

const CONFIG: &str = "\
# our export
[case]
key = \"LeadId\"   # the lead
[fields.LeadId]
[fields.FirstName]
lexamica = \"client.firstName\"
[fields.\"client.email\"]
from = \"Email\"
lexamica = \"client.email\"
";

fn home() -> Home {
    let home = Home::new();
    home.write("caseload.toml", CONFIG);
    home
}

fn setup(home: &Home, url: &str, args: &[&str]) -> Program {
    let program = home
        .caseload(&[
            "setup",
            "--base-url",
            url,
            "--org-id",
            "o1",
            "--ledger",
            "ledger.db",
        ])
        .args(&["--public-url", HOOKS, "--yes"])
        .args(args)
        .env("LEXAMICA_PRIVATE_KEY", PRIVATE_KEY);
    if home.path("ledger.db").exists() || args.contains(&"--dry-run") {
        program
    } else {
        program.arg("--new-ledger")
    }
}

/// The requests that created something.
fn posts(server: &Server) -> Vec<Value> {
    let requests = server.requests().into_iter();
    let posts = requests.filter(|request| request.method == "POST");
    posts.map(|request| request.json()).collect()
}

/// A platform that has nothing, and creates what it is asked to.
fn platform() -> Server {
    Server::start(|request| {
        assert_eq!(request.header("authorization"), Some("Key sk_test_9c2e7a"));
        match request.method.as_str() {
            "GET" => status(200).json("[]").into(),
            _ => created(&format!("id-{}", request.index)),
        }
    })
}

fn sent_to(server: &Server, path: &str) -> usize {
    let requests = server.requests();
    let sent = requests
        .iter()
        .filter(|request| request.method == "POST" && request.path == path);
    sent.count()
}

#[test]
fn it_creates_the_mapping_and_three_subscriptions_once() {
    let (home, platform) = (home(), platform());
    let done = setup(
        &home,
        &platform.url(),
        &["--write-config", "--output", "json"],
    )
    .run()
    .exits(0);
    let posts_made = posts(&platform);
    let mapping = json!({
        "name": "caseload",
        "model": "Case",
        "fields": [
            {"source": "FirstName", "target": "client.firstName"},
            {"source": "client.email", "target": "client.email"},
            {"source": "caseload_case_id", "target": "_id"},
        ],
    });
    assert_eq!(posts_made[0], mapping);
    let secrets = home.read("webhook-secrets.toml");
    for (body, (event, path)) in posts_made[1..].iter().zip([
        ("Case Update Made", "updates"),
        ("Case Stage Changed", "stages"),
        ("Case Settlement", "settlements"),
    ]) {
        assert_eq!(body["event"], event);
        assert_eq!(body["url"], format!("{HOOKS}/{path}"));
        assert_eq!(body["mapping"], "id-1");
        let secret = body["secret"].as_str().unwrap();
        assert_eq!(secret.len(), 64);
        assert!(
            secrets.contains(&format!("{path} = [\"{secret}\"]")),
            "{secrets}"
        );
        assert!(!done.out.contains(secret) && !done.err.contains(secret));
    }
    assert_eq!(done.json()[0]["created"]["mapping"], "id-1");
    let config = home.read("caseload.toml");
    assert!(config.starts_with(CONFIG), "{config}");
    assert!(
        config.contains("map_id = \"id-1\"\ncase_id_field = \"caseload_case_id\"\n"),
        "{config}"
    );
    // Once more: nothing is created.
    let done = setup(&home, &platform.url(), &[]).run().exits(0);
    assert!(done.out.contains("settlements  id-7"), "{done}");
    assert_eq!(posts(&platform).len(), 4);
}

#[test]
fn a_dry_run_shows_every_request_and_sends_none() {
    let home = home();
    let platform = Server::start(|_| react().close());
    let done = setup(&home, &platform.url(), &["--dry-run"]).without_env("LEXAMICA_PRIVATE_KEY");
    let done = done.run().exits(0);
    let url = format!(
        "POST {}/organization/o1/webhook-subscriptions",
        platform.url()
    );
    assert_eq!(done.out.matches(&url).count(), 3, "{done}");
    for part in [
        "\"target\": \"_id\"",
        "\"secret\": \"[secret]\"",
        "/lexamica/stages",
    ] {
        assert!(done.out.contains(part), "{part}: {done}");
    }
    assert!(platform.requests().is_empty());
    assert!(!home.path("ledger.db").exists() && !home.path("webhook-secrets.toml").exists());
}

#[test]
fn paths_and_bodies_are_settings() {
    let (home, platform) = (home(), platform());
    let api = "\
[api]
paths = { mappings = \"/v2/maps\", subscriptions = \"/v2/{org_id}/hooks\" }
[api.bodies]
mapping = { title = \"{name}\", kind = \"{model}\", pairs = \"{fields}\" }
field = [\"{target}\", \"{source}\"]
subscription = { on = [\"{event}\"], to = \"{url}\", key = \"{secret}\", via = \"{mapping}\" }
";
    home.write("caseload.toml", format!("{CONFIG}{api}"));
    setup(&home, &platform.url(), &[]).run().exits(0);
    assert_eq!(sent_to(&platform, "/v2/maps"), 1);
    assert_eq!(sent_to(&platform, "/v2/o1/hooks"), 3);
    let posts = posts(&platform);
    assert_eq!(
        posts[0]["pairs"][0],
        json!(["client.firstName", "FirstName"])
    );
    assert_eq!(posts[1]["on"], json!(["Case Update Made"]));
    let broken = api.replace("{secret}", "none");
    home.write("caseload.toml", format!("{CONFIG}{broken}"));
    let done = setup(&home, &platform.url(), &[]).run().exits(2);
    done.says("invalid template: there is no \"{secret}\" in it");
}

#[test]
fn what_may_have_been_created_is_not_created_again_without_a_word() {
    let home = home();
    // The mapping is created, and its answer is lost.
    let platform = Server::start(|request| match request.method.as_str() {
        "GET" => status(200).json("[]").into(),
        _ => react().creates("m1").close(),
    });
    let done = setup(&home, &platform.url(), &[]).run().exits(4);
    done.says("the Case mapping may or may not have been created");
    let done = setup(&home, &platform.url(), &[]).run().exits(4);
    done.says("--created mapping=ID or --not-created mapping");
    assert_eq!(posts(&platform).len(), 1);
    drop(platform);
    let platform = self::platform();
    let known = ["--created", "mapping=m1", "--adopt-ledger"];
    setup(&home, &platform.url(), &known).run().exits(0);
    let posts = posts(&platform);
    assert_eq!(posts.len(), 3, "the subscriptions");
    assert_eq!(posts[0]["mapping"], "m1");
}

#[test]
fn what_the_platform_has_already_is_not_created() {
    let home = home();
    let platform = Server::start(|request| match request.path.rsplit('/').next() {
        Some("mappings") => status(200).json(r#"{"data":[{"_id":"m7","name":"caseload"}]}"#),
        _ => status(200).json("[]"),
    });
    let done = setup(&home, &platform.url(), &[]).run();
    assert_eq!(done.status.code(), Some(2), "{done}");
    done.says("the Case mapping exists on the platform, as m7: use it with --created mapping=m7");
    assert!(posts(&platform).is_empty());
}

#[test]
fn an_answer_that_is_not_what_is_assumed_names_the_setting() {
    let home = home();
    for (path, code, setting) in [
        ("mappings", 2, "set api.paths.mappings"),
        ("webhook-subscriptions", 5, "set api.paths.subscriptions"),
    ] {
        let platform = Server::start(move |request| {
            if request.path.ends_with(path) {
                return status(404)
                    .json(r#"{"message":"no such page, sk_test_9c2e7a"}"#)
                    .into();
            }
            match request.method.as_str() {
                "GET" => status(200).json("[]").into(),
                _ => created("m1"),
            }
        });
        let home_of_case = self::home();
        let done = setup(&home_of_case, &platform.url(), &[]).run().exits(code);
        let done = done.says(setting).says("no such page, [key]");
        assert!(!done.err.contains(PRIVATE_KEY), "{done}");
    }
    let platform = Server::start(|request| match request.method.as_str() {
        "GET" => status(200).json("[]"),
        _ => status(201).json(r#"{"ok":true}"#),
    });
    let done = setup(&home, &platform.url(), &[]).run().exits(4);
    done.says("the Case mapping may or may not have been created; the answer 201: {\"ok\":true}");
}

#[test]
fn the_sandbox_can_be_set_up_listed_and_cleared() {
    let home = home();
    home.write("private.key", PRIVATE_KEY);
    let key_file = home.path("private.key");
    let sandbox = Sandbox::start(&["--private-key-file", key_file.to_str().unwrap()]);
    setup(&home, &sandbox.url(), &[]).run().exits(0);
    let manage = |words: &[&str]| {
        let program = home.caseload(&["setup"]).args(words);
        let program = program.args(&["--base-url", &sandbox.url(), "--org-id", "o1"]);
        program.args(&["--private-key-file", "private.key"]).run()
    };
    let listed = manage(&["list"]).exits(0);
    assert!(listed.out.contains("1 mapping\n") && listed.out.contains("3 subscriptions\n"));
    let json = manage(&["list", "--output", "json"]).exits(0);
    let lines: Vec<Value> = json
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let id = |name: &str, nth: usize| {
        let mut found = lines.iter().filter_map(|line| line[name]["_id"].as_str());
        found.nth(nth).unwrap().to_owned()
    };
    let (mapping, subscription) = (id("mapping", 0), id("subscription", 0));
    let shown = manage(&["show", &mapping]).exits(0);
    assert!(shown.out.contains("\"target\": \"_id\""), "{shown}");
    manage(&["delete", &mapping, "--yes"])
        .exits(2)
        .says("can only be deleted on the platform");
    manage(&["delete", &subscription, "--yes"])
        .exits(0)
        .says("deleted");
    manage(&["show", &subscription])
        .exits(2)
        .says("neither a mapping nor a subscription");
    let wrong = home.caseload(&[
        "setup",
        "list",
        "--base-url",
        &sandbox.url(),
        "--org-id",
        "o1",
    ]);
    let wrong = wrong
        .env("LEXAMICA_PRIVATE_KEY", "sk_another")
        .run()
        .exits(2);
    wrong.says("was answered 401");
}

#[test]
fn each_key_is_refused_where_the_other_belongs() {
    let (home, platform) = (home(), platform());
    let both = setup(&home, &platform.url(), &[]).env("LEXAMICA_PUBLIC_KEY", PRIVATE_KEY);
    both.run()
        .exits(2)
        .says("the private key is the same as LEXAMICA_PUBLIC_KEY");
    std::fs::remove_file(home.path("caseload.toml")).unwrap();
    home.cases(1);
    let import = home
        .import(&platform.url())
        .env("LEXAMICA_PRIVATE_KEY", KEY)
        .run()
        .exits(2);
    import.says("the public key is the same as LEXAMICA_PRIVATE_KEY");
    assert!(platform.requests().is_empty());
}
