//! `caseload schema`: what the config may be, for editors.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Home, example};

fn schema(home: &Home) -> Value {
    let done = home.run(&["schema"]).exits(0);
    serde_json::from_str(&done.out).unwrap()
}

/// Checks a config by the part of JSON Schema that is used. Any other keyword
/// fails the test.
fn is_valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else {
        return schema == true;
    };
    let of_type = |name: &Value| match name.as_str().unwrap() {
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    let list = |keyword: &Value| keyword.as_array().cloned().unwrap_or(vec![keyword.clone()]);
    let valid = |schema: &Value| is_valid(root, schema, value);
    let size = || {
        value
            .as_str()
            .map(str::len)
            .or(value.as_array().map(Vec::len))
    };
    let members = || value.as_object().into_iter().flatten();
    keywords
        .iter()
        .all(|(keyword, given)| match keyword.as_str() {
            "type" => list(given).iter().any(of_type),
            "enum" => list(given).contains(value),
            "const" => value == given,
            "anyOf" => list(given).iter().any(valid),
            "oneOf" => list(given).iter().filter(|schema| valid(schema)).count() == 1,
            "$ref" => valid(resolved(root, schema)),
            "minimum" => value
                .as_f64()
                .is_none_or(|it| it >= given.as_f64().unwrap()),
            "minLength" => !value.is_string() || size() >= given.as_u64().map(|it| it as usize),
            "minItems" => !value.is_array() || size() >= given.as_u64().map(|it| it as usize),
            "items" => (value.as_array().into_iter().flatten()).all(|it| is_valid(root, given, it)),
            "required" => (list(given).iter())
                .all(|name| !value.is_object() || value.get(name.as_str().unwrap()).is_some()),
            "properties" => members().all(|(name, member)| {
                let schema = given.get(name);
                schema.is_none_or(|schema| is_valid(root, schema, member))
            }),
            "additionalProperties" => {
                let named = |name| schema["properties"].get(name).is_some();
                members().all(|(name, member)| named(name) || is_valid(root, given, member))
            }
            "$schema" | "$defs" | "title" | "description" | "default" | "format"
            | "uniqueItems" => true,
            other => panic!("unknown keyword {other}"),
        })
}

/// The configs in a folder and those below it.
fn configs(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(configs(&path));
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
    found
}

#[test]
fn configs_are_valid_and_mistakes_are_not() {
    let home = Home::new();
    let schema = schema(&home);
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    let is_valid = |config: &str| is_valid(&schema, &schema, &toml::from_str(config).unwrap());
    home.run(&["init", &example("export.csv")]).exits(0);
    let drafted = home.read("caseload.toml");
    assert!(
        drafted.starts_with("#:schema ./caseload.schema.json\n"),
        "{drafted}"
    );
    let mut configs = configs(Path::new(&example("")));
    assert!(configs.len() >= 2);
    configs.push(drafted);
    // What the table of the config's own tests has beside them.
    configs.push(
        r#"
        [api]
        auth = { in = "query", name = "key" }
        private_auth = { in = "header", name = "X-Key", prefix = "" }
        partner_firm_id_in = "body"
        case_id_field = "data.caseId"
        not_sent = []
        rejected = ["4xx", 418]
        bodies = { field = { a = "{source}", b = "{target}" } }
        [case]
        key = ["Lead ID", "No"]
        [fields."a.b"]
        from = ["A", "B"]
        default = 7
        [fields.c]
        value = 1.5
        part = "first"
        [fields.d]
        value = true
        type = "datetime"
        "#
        .to_owned(),
    );
    for config in configs {
        assert!(is_valid(&config), "{config}");
    }
    for mistake in [
        "[feilds.X]\nfrom = \"Y\"",
        "[fields.X]\nrequierd = true",
        "[api]\nbase_ulr = \"x\"",
        "[api]\nauth = { in = \"query\", name = \"k\", prefix = \"\" }",
        "[api]\nauth = { in = \"query\" }",
        "[api]\nbase_url = 7",
        "[api]\nrejected = [true]",
        "[fields.X]\nrequired = \"yes\"",
        "[fields.X]\ntype = \"dat\"",
        "[fields.X]\nmax_length = -1",
        "[fields.X]\nvalue = []",
        "[fields.X]\nfrom = [1]",
        "[fields]\nX = \"Y\"",
        "[join.x]\nfile = \"f.csv\"",
        "[case]\nkey = 1",
        "[partner_firms]\nSmith = 1",
        "[ledger]\nkeep_payloads = 1",
    ] {
        assert!(!is_valid(mistake), "{mistake}");
    }
}

/// What the config itself says that it knows, table by table.
#[test]
fn every_key_of_the_config_is_in_it_and_explained() {
    let home = Home::new();
    let schema = schema(&home);
    for (table, text) in [
        (vec![], "zzz = 1"),
        (vec!["api"], "[api]\nzzz = 1"),
        (vec!["api", "paths"], "[api.paths]\nzzz = 1"),
        (vec!["api", "bodies"], "[api.bodies]\nzzz = 1"),
        (vec!["case"], "[case]\nzzz = 1"),
        (vec!["fields", "*"], "[fields.X]\nzzz = 1"),
        (vec!["join", "*"], "[join.x]\nzzz = 1"),
        (vec!["ledger"], "[ledger]\nzzz = 1"),
        (vec!["platform"], "[platform]\nzzz = 1"),
        (vec!["webhooks"], "[webhooks]\nzzz = 1"),
    ] {
        home.write("caseload.toml", text);
        home.write("a.csv", "a\n1\n");
        let refused = home.run(&["check", "a.csv"]).exits(2).err;
        let line = refused.lines().next().unwrap();
        // Behind the unknown key itself.
        let known: Vec<&str> = line.split('`').skip(3).step_by(2).collect();
        assert!(!known.is_empty(), "{refused}");
        let table = table.iter().fold(&schema, |table, name| {
            let member = match *name {
                "*" => &table["additionalProperties"],
                name => &table["properties"][name],
            };
            resolved(&schema, member)
        });
        let properties = table["properties"].as_object().unwrap();
        let names: Vec<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(names, known, "{table}");
        assert_eq!(table["additionalProperties"], json!(false), "{table}");
        for (name, property) in properties {
            let description = [property, resolved(&schema, property)];
            let mut description = description.iter().map(|it| &it["description"]);
            assert!(description.any(Value::is_string), "{name}: {property}");
        }
    }
}

/// The schema that a reference leads to.
fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let of_choice = schema["anyOf"]
        .as_array()
        .and_then(|choices| choices.first());
    match of_choice.unwrap_or(schema)["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}
