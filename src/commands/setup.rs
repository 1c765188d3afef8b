//! `caseload setup`: creates the Case mapping and the webhook subscriptions, each
//! once, with a claim before its call as for a case.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Exit, block_on, in_full, ledgers, print_closing};
use crate::api::{Collection, Secret, has_text, possible_case_ids};
use crate::cli::args::SetupAction;
use crate::cli::settings::{CASE_ID_FIELD, ManagementSettings, SetupSettings};
use crate::config;
use crate::ledger::{Ledger, SetupItem};
use crate::model::{Digest, EventKind, Outcome, State, Verdict, abort_point, count};
use crate::output::terminal::streams::{
    confirm, is_interactive, print_error, print_json, print_result, print_status, print_warning,
};
use crate::output::terminal::text::{escaped, escaped_lines};

/// The name of the mapping in the ledger and in `--created`.
const MAPPING: &str = "mapping";
/// Stands for a secret where it would be shown.
const HIDDEN: &str = "[secret]";
/// Between two calls, as between those of an import (guide).
const PAUSE: Duration = Duration::from_millis(100);

/// What is to be there: a subscription to an event, or the mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part(Option<EventKind>);

impl Part {
    fn name(self) -> &'static str {
        self.0.map_or(MAPPING, EventKind::as_str)
    }

    fn title(self) -> String {
        self.0.map_or("the Case mapping".to_owned(), |kind| {
            format!("the subscription to {}", kind.label())
        })
    }

    fn collection(self, platform: &ManagementSettings) -> &Collection {
        match self.0 {
            None => &platform.mappings,
            Some(_) => &platform.subscriptions,
        }
    }

    /// What creates it, with its secret, or without.
    fn body(self, settings: &SetupSettings, mapping: &str, secret: &str) -> Value {
        let bodies = &settings.platform.config.api.bodies;
        match self.0 {
            None => bodies.mapping(&settings.options.name, &settings.pairs),
            Some(kind) => bodies.subscription(kind.label(), &url(settings, kind), secret, mapping),
        }
    }

    /// Shows the request in full, but for key and secret.
    fn print_request(self, settings: &SetupSettings, body: &Value) {
        let url = self.collection(&settings.platform).url();
        if settings.platform.output.json {
            let name = self.name();
            print_json(
                &json!({"schema": 1, "name": name, "method": "POST", "url": url.as_str(), "body": body}),
            );
        } else {
            let request = escaped_lines(&format!("POST {url}\n{body:#}"));
            print_result(&format!("{}:\n{request}\n", self.title()));
        }
    }
}

/// The address of an event's path.
fn url(settings: &SetupSettings, kind: EventKind) -> String {
    let base = settings.public_url.as_ref().map(ToString::to_string);
    format!("{}/{kind}", base.unwrap_or_default().trim_end_matches('/'))
}

/// Why a run ended early, and how.
type Stopped = (Exit, String);

/// Runs the command.
pub(super) fn run(mut settings: SetupSettings) -> Result<Exit> {
    // In the order in which they are created.
    let mut missing = Vec::new();
    missing.extend(settings.map_id.is_none().then_some(Part(None)));
    if settings.public_url.is_some() {
        missing.extend(EventKind::ALL.iter().map(|kind| Part(Some(*kind))));
    }
    if settings.options.dry_run {
        let mapping = settings.map_id.as_deref().unwrap_or("[id of the mapping]");
        for part in missing {
            part.print_request(&settings, &part.body(&settings, mapping, HIDDEN));
        }
        return Ok(Exit::Done);
    }
    let ledger = ledgers::open_for_setup(&settings)?;
    let (now, by_user) = (Timestamp::now(), Some("by the user's word"));
    for (name, id) in &settings.options.created {
        ledger.settle_setup(name, State::Imported, Some(id), by_user, now)?;
    }
    for name in &settings.options.not_created {
        ledger.settle_setup(name, State::NotSent, None, by_user, now)?;
    }
    let known = ledger.reader().setup_items()?;
    missing.retain(|part| id_in(&known, part.name()).is_none());
    let stopped = if let Some(item) = known.iter().find(|item| item.state == State::InDoubt) {
        Some(stop_in_doubt(item))
    } else if is_confirmed(&settings, &missing) {
        block_on(create(&mut settings, &ledger, &missing))?.err()
    } else {
        print_status("nothing was created");
        return Ok(Exit::Stopped);
    };
    close(&settings, &ledger, stopped)
}

/// The platform's id of what was created.
fn id_in<'i>(items: &'i [SetupItem], name: &str) -> Option<&'i str> {
    items.iter().find(|item| item.name == name)?.id.as_deref()
}

fn stop_in_doubt(item: &SetupItem) -> Stopped {
    let name = &item.name;
    let message = escaped(item.message.as_deref().unwrap_or_default());
    let text = format!(
        "{name} may or may not have been created ({message}): look for it with `caseload setup \
         list`, then say --created {name}=ID or --not-created {name}"
    );
    (Exit::InDoubt, text)
}

fn is_confirmed(settings: &SetupSettings, missing: &[Part]) -> bool {
    let parts = missing.iter().map(|part| format!("\n  {}", part.title()));
    let (account, parts) = (&settings.platform.account, parts.collect::<String>());
    let question = format!("to create for {account}:{parts}\nCreate them?");
    missing.is_empty() || settings.options.yes || confirm(&question).unwrap_or(false)
}

async fn create(
    settings: &mut SetupSettings,
    ledger: &Ledger,
    missing: &[Part],
) -> Result<(), Stopped> {
    // Until something was sent, an error is one of usage.
    let mut exit = Exit::Usage;
    for part in missing {
        if exit == Exit::Stopped {
            tokio::time::sleep(PAUSE).await;
        }
        let created = create_part(settings, ledger, *part).await;
        let outcome = created.map_err(|error| (exit, in_full(&error)))?;
        if outcome.verdict != Verdict::Imported {
            return Err(explain(settings, *part, &outcome));
        }
        if !settings.platform.output.quiet {
            let id = outcome.answer.case_id.unwrap_or_default();
            print_status(&format!("created {}: {}", part.title(), escaped(&id)));
        }
        exit = Exit::Stopped;
    }
    Ok(())
}

/// A look at the platform, then claim, call and settlement.
async fn create_part(settings: &mut SetupSettings, ledger: &Ledger, part: Part) -> Result<Outcome> {
    if !settings.options.skip_lookup {
        refuse_known(settings, part).await?;
    }
    let secret = part.0.map(|kind| settings.secrets.ensure(kind));
    let secret = secret.transpose()?;
    let revealed = secret.as_ref().map_or("", Secret::reveal);
    let items = ledger.reader().setup_items()?;
    let mapping = settings.map_id.as_deref();
    let mapping = mapping.or(id_in(&items, MAPPING)).unwrap_or_default();
    let shown = part.body(settings, mapping, HIDDEN);
    let body = part.body(settings, mapping, revealed);
    if settings.options.print {
        part.print_request(settings, &shown);
    }
    let (name, request) = (part.name(), Digest::of(shown.to_string().as_bytes()));
    abort_point("before-setup-claim");
    let claimed = ledger.claim_setup(name, &request, Timestamp::now())?;
    ensure!(
        claimed,
        "{} was created meanwhile; run `caseload setup` again",
        part.title()
    );
    abort_point("after-setup-claim");
    let collection = part.collection(&settings.platform);
    let outcome = collection.create(name, &body, secret).await;
    abort_point("before-setup-settle");
    let (answer, state) = (&outcome.answer, outcome.verdict.state());
    let id = answer.case_id.as_deref();
    let id = id.filter(|_| outcome.verdict == Verdict::Imported);
    let message = answer.message.as_deref();
    ledger.settle_setup(name, state, id, message, Timestamp::now())?;
    abort_point("after-setup-settle");
    Ok(outcome)
}

/// Refuses to create what the platform has, whatever the ledger knows.
async fn refuse_known(settings: &SetupSettings, part: Part) -> Result<()> {
    let list = part.collection(&settings.platform).list().await;
    let list = list.context(
        "can't see what exists on the platform; to create without looking, add --skip-lookup",
    )?;
    let is_it = |member: &&Value| match part.0 {
        None => has_text(member, &settings.options.name),
        Some(kind) => has_text(member, &url(settings, kind)) && has_text(member, kind.label()),
    };
    let Some(known) = list.iter().find(is_it) else {
        return Ok(());
    };
    let id = possible_case_ids(known).next().unwrap_or("ID".into());
    bail!(
        "{} exists on the platform, as {id}: use it with --created {}={id}, or delete it there",
        part.title(),
        part.name()
    );
}

/// Why a part is not there.
fn explain(settings: &SetupSettings, part: Part, outcome: &Outcome) -> Stopped {
    let answer = &outcome.answer;
    let (exit, what) = match outcome.verdict {
        Verdict::Rejected => (Exit::Stopped, "was refused by the server"),
        Verdict::NotSent => (Exit::Stopped, "was not created"),
        Verdict::InDoubt | Verdict::Imported => (Exit::InDoubt, "may or may not have been created"),
    };
    let status = answer.status.map(|status| format!(" {status}"));
    let body = answer.body.as_deref().or(answer.message.as_deref());
    let text = format!(
        "{} {what}; the answer{}: {}\nif its path or body differ from what the server expects, \
         set {} or api.bodies; see them with --dry-run",
        part.title(),
        status.unwrap_or_default(),
        escaped(body.unwrap_or("none")),
        part.collection(&settings.platform).setting
    );
    (exit, text)
}

/// Shows what is there, and offers to write the mapping's id into the config.
fn close(settings: &SetupSettings, ledger: &Ledger, stopped: Option<Stopped>) -> Result<Exit> {
    let output = settings.platform.output;
    let items = ledger.reader().setup_items()?;
    let mut created = Map::new();
    for item in &items {
        if let Some(id) = &item.id {
            created.insert(item.name.clone(), id.as_str().into());
            if !output.json && !output.quiet {
                print_result(&format!("{:12} {}", item.name, escaped(id)));
            }
        }
    }
    if settings.public_url.is_none() && !output.quiet {
        print_status("no subscriptions without the address that events go to: --public-url");
    }
    warn_changed(settings, &items);
    let (exit, error) = stopped.unzip();
    let exit = exit.unwrap_or(Exit::Done);
    if output.json {
        let mut closing = json!({
            "account": settings.platform.account.as_str(),
            "created": created,
            "secrets": settings.secrets.path.display().to_string(),
        });
        if let Some(error) = &error {
            closing["error"] = error.as_str().into();
        }
        print_closing("setup", exit, closing);
    }
    if let Some(error) = error {
        print_error(&error);
    } else if let Some(id) = id_in(&items, MAPPING)
        && settings.map_id.as_deref() != Some(id)
    {
        offer_config(settings, id)?;
    }
    Ok(exit)
}

/// A mapping is not changed after it was created.
fn warn_changed(settings: &SetupSettings, items: &[SetupItem]) {
    let mapping = items.iter().find(|item| item.name == MAPPING);
    let created_from = mapping.and_then(|item| item.request);
    let now = Part(None).body(settings, "", "").to_string();
    let is_other = created_from.is_some_and(|digest| digest != Digest::of(now.as_bytes()));
    if settings.map_id.is_none() && is_other {
        print_warning(
            "the fields of the config have changed since the mapping was created: change it on \
             the platform too, or create another with `setup --name`, after --not-created mapping",
        );
    }
}

fn offer_config(settings: &SetupSettings, id: &str) -> Result<()> {
    let lines = [("map_id", id), ("case_id_field", CASE_ID_FIELD)];
    if let Some(path) = &settings.platform.config.path {
        let question = format!("Write the mapping's id into {}?", path.display());
        let asked = || is_interactive() && confirm(&question).unwrap_or(false);
        if settings.options.write_config || asked() {
            config::set_api(path, &lines)?;
            print_status(&format!("{} has the mapping's id now", path.display()));
            return Ok(());
        }
    }
    let lines = lines.map(|(name, value)| format!("\n{name} = {}", Value::from(value)));
    print_status(&format!(
        "for the config, where --write-config puts it too:\n[api]{}",
        lines.concat()
    ));
    Ok(())
}

/// `setup list`, `setup show` and `setup delete`.
pub(super) fn manage(platform: &ManagementSettings, action: &SetupAction) -> Result<Exit> {
    block_on(async {
        match action {
            SetupAction::List(_) => list(platform).await?,
            SetupAction::Show { id, .. } => {
                let (_, found) = find(platform, id).await?;
                print_result(&escaped_lines(&format!("{:#}", without_secret(found))));
            }
            SetupAction::Delete { id, yes, .. } => {
                let (title, _) = find(platform, id).await?;
                ensure!(
                    title == "subscription",
                    "{id} is a mapping, and the cases imported through it need it: it can only be \
                     deleted on the platform"
                );
                if !yes && !confirm(&format!("Delete the subscription {id}?"))? {
                    print_status("nothing was deleted");
                    return Ok(Exit::Stopped);
                }
                platform.subscriptions.delete(id).await?;
                print_status(&format!("deleted {}", escaped(id)));
                forget(platform, id)?;
            }
        }
        Ok(Exit::Done)
    })?
}

/// Lets `setup` create another in its place.
fn forget(platform: &ManagementSettings, id: &str) -> Result<()> {
    let Ok((ledger, _)) = ledgers::open_to_resolve(&platform.ledger, None) else {
        return Ok(());
    };
    for item in ledger.reader().setup_items()? {
        if item.id.as_deref() == Some(id) {
            ledger.settle_setup(&item.name, State::Removed, None, None, Timestamp::now())?;
        }
    }
    Ok(())
}

/// What there is on the platform, each with its title.
fn collections(platform: &ManagementSettings) -> [(&'static str, &Collection); 2] {
    [
        (MAPPING, &platform.mappings),
        ("subscription", &platform.subscriptions),
    ]
}

async fn list(platform: &ManagementSettings) -> Result<()> {
    for (title, collection) in collections(platform) {
        let members = collection.list().await?;
        if !platform.output.json {
            print_result(&count(members.len() as u64, title));
        }
        for member in members.into_iter().map(without_secret) {
            if platform.output.json {
                print_json(&json!({"schema": 1, title: member}));
            } else {
                print_result(&format!("  {}", escaped(&member.to_string())));
            }
        }
    }
    Ok(())
}

/// The mapping or subscription with this id.
async fn find(platform: &ManagementSettings, id: &str) -> Result<(&'static str, Value)> {
    for (title, collection) in collections(platform) {
        if let Some(found) = collection.show(id).await? {
            return Ok((title, found));
        }
    }
    bail!("there is neither a mapping nor a subscription {id}; see `caseload setup list`")
}

/// Hides what the platform shows of secrets.
fn without_secret(member: Value) -> Value {
    let shown = |(name, value): (String, Value)| {
        let is_secret = name.to_lowercase().contains("secret");
        let hidden = HIDDEN.into();
        (
            name,
            if is_secret {
                hidden
            } else {
                without_secret(value)
            },
        )
    };
    match member {
        Value::Array(parts) => parts.into_iter().map(without_secret).collect(),
        Value::Object(parts) => parts.into_iter().map(shown).collect(),
        other => other,
    }
}
