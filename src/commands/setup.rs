//! `caseload setup`: creates the Case mapping and the webhook subscriptions, each
//! once, with a claim before its call as for a case.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Exit, block_on, in_full, ledgers, print_closing};
use crate::api::{Collection, Management, ManagementError, PublicKey, has_text, id_of};
use crate::cli::args::SetupAction;
use crate::cli::settings::{CASE_ID_FIELD, ManagementSettings, SetupSettings};
use crate::config;
use crate::ledger::{Ledger, SetupItem};
use crate::model::{Digest, EventKind, Outcome, State, Verdict, abort_point, count};
use crate::output::terminal::streams::{
    OutputOptions, confirm, is_interactive, print_error, print_json, print_result, print_status,
    print_warning,
};
use crate::output::terminal::text::escaped;
use crate::webhooks::{Secret, Secrets};

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
        match self.0 {
            None => "the Case mapping".to_owned(),
            Some(kind) => format!("the subscription to {}", kind.label()),
        }
    }

    const fn collection(self) -> Collection {
        match self.0 {
            None => Collection::Mappings,
            Some(_) => Collection::Subscriptions,
        }
    }
}

/// Why a run ended early.
type Stopped = (Exit, String);

/// Runs the command.
pub(super) fn run(settings: &SetupSettings) -> Result<Exit> {
    let mut setup = Setup::new(settings)?;
    if settings.options.dry_run {
        let mapping = settings.map_id.as_deref().unwrap_or("[id of the mapping]");
        for part in setup.wanted() {
            setup.print_request(part, &setup.body(part, mapping, HIDDEN)?);
        }
        return Ok(Exit::Done);
    }
    let ledger = ledgers::open_for_setup(settings)?;
    setup.record_decisions(&ledger)?;
    let known = ledger.reader().setup_items()?;
    let stopped = if let Some(item) = known.iter().find(|item| item.state == State::InDoubt) {
        Some(stop_in_doubt(item))
    } else {
        let mut missing = setup.wanted();
        missing.retain(|part| id_in(&known, part.name()).is_none());
        if !setup.is_confirmed(&missing) {
            print_status("nothing was created");
            return Ok(Exit::Stopped);
        }
        block_on(setup.create(&ledger, &missing))??
    };
    setup.close(&ledger, stopped)
}

/// The platform's id of what was created.
fn id_in<'i>(items: &'i [SetupItem], name: &str) -> Option<&'i str> {
    let is_it = |item: &&SetupItem| item.name == name && item.state == State::Imported;
    items.iter().find(is_it)?.id.as_deref()
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

/// One run of the command.
struct Setup<'s> {
    settings: &'s SetupSettings,
    management: &'s Management,
    secrets: Secrets,
}

impl<'s> Setup<'s> {
    fn new(settings: &'s SetupSettings) -> Result<Self> {
        let (secrets, warning) = Secrets::read(&settings.secrets)?;
        if let Some(warning) = warning {
            print_warning(&warning);
        }
        if settings.rules.platform_pairs().is_empty() && settings.map_id.is_none() {
            bail!(
                "no field of the config names its counterpart on the platform, so the mapping \
                 would be empty: add lines such as lexamica = \"client.firstName\" to [fields.X]"
            );
        }
        Ok(Self {
            settings,
            management: &settings.platform.management,
            secrets,
        })
    }

    /// In the order in which they are created.
    fn wanted(&self) -> Vec<Part> {
        let mapping = self.settings.map_id.is_none().then_some(Part(None));
        let events = match &self.settings.public_url {
            Some(_) => EventKind::ALL,
            None => &[],
        };
        let events = events.iter().map(|kind| Part(Some(*kind)));
        mapping.into_iter().chain(events).collect()
    }

    /// The address of an event's path.
    fn url(&self, kind: EventKind) -> String {
        let base = self.settings.public_url.as_ref().map(ToString::to_string);
        format!("{}/{kind}", base.unwrap_or_default().trim_end_matches('/'))
    }

    /// The body that creates a part.
    fn body(&self, part: Part, mapping: &str, secret: &str) -> Result<String> {
        let bodies = &self.settings.platform.config.api.bodies;
        let Some(kind) = part.0 else {
            let mut pairs = self.settings.rules.platform_pairs();
            // By this, answers and events carry the case's id.
            pairs.push((CASE_ID_FIELD.to_owned(), "_id".to_owned()));
            return Ok(bodies.mapping(&self.settings.options.name, &pairs)?);
        };
        Ok(bodies.subscription(kind.label(), &self.url(kind), secret, mapping)?)
    }

    /// The request in full, but for key and secret.
    fn print_request(&self, part: Part, body: &str) {
        let url = self.management.url(part.collection());
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        if self.settings.platform.output.json {
            print_json(
                &json!({"schema": 1, "name": part.name(), "method": "POST", "url": url, "body": body}),
            );
        } else {
            let (url, body) = (escaped(url), escaped_json(&body));
            print_result(&format!("{}:\nPOST {url}\n{body}\n", part.title()));
        }
    }

    /// Records what the user says of parts that were in doubt, or were there.
    fn record_decisions(&self, ledger: &Ledger) -> Result<()> {
        let by_user = Some("by the user's word");
        for (name, id) in &self.settings.options.created {
            ledger.settle_setup(name, State::Imported, Some(id), by_user, Timestamp::now())?;
        }
        for name in &self.settings.options.not_created {
            ledger.settle_setup(name, State::NotSent, None, by_user, Timestamp::now())?;
        }
        Ok(())
    }

    fn is_confirmed(&self, missing: &[Part]) -> bool {
        if missing.is_empty() || self.settings.options.yes {
            return true;
        }
        let mut question = format!("to create for {}:", self.settings.platform.account);
        for part in missing {
            question = format!("{question}\n  {}", part.title());
        }
        print_status(&question);
        confirm("Create them?").unwrap_or(false)
    }

    async fn create(&mut self, ledger: &Ledger, missing: &[Part]) -> Result<Option<Stopped>> {
        for (position, part) in missing.iter().enumerate() {
            if position > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let outcome = match self.look_and_create(ledger, *part).await {
                // Something was created before it.
                Err(error) if position > 0 => {
                    return Ok(Some((Exit::Stopped, in_full(&error))));
                }
                outcome => outcome?,
            };
            if outcome.verdict != Verdict::Imported {
                return Ok(Some(explain(*part, &outcome)));
            }
            if !self.settings.platform.output.quiet {
                let id = outcome.answer.case_id.unwrap_or_default();
                print_status(&format!("created {}: {}", part.title(), escaped(&id)));
            }
        }
        Ok(None)
    }

    async fn look_and_create(&mut self, ledger: &Ledger, part: Part) -> Result<Outcome> {
        if !self.settings.options.skip_lookup {
            self.refuse_known(part).await?;
        }
        self.create_part(ledger, part).await
    }

    /// Refuses to create what the platform has, whatever the ledger knows.
    async fn refuse_known(&self, part: Part) -> Result<()> {
        let list = self.management.list(part.collection()).await;
        let list = list.context(
            "can't see what exists on the platform; to create without looking, add --skip-lookup",
        )?;
        let is_it = |member: &&Value| match part.0 {
            None => has_text(member, &self.settings.options.name),
            Some(kind) => has_text(member, &self.url(kind)) && has_text(member, kind.label()),
        };
        let Some(known) = list.iter().find(is_it) else {
            return Ok(());
        };
        let id = id_of(known).unwrap_or_else(|| "ID".to_owned());
        bail!(
            "{} exists on the platform, as {id}: use it with --created {}={id}, or delete it there",
            part.title(),
            part.name()
        );
    }

    /// Claim, call and settlement.
    async fn create_part(&mut self, ledger: &Ledger, part: Part) -> Result<Outcome> {
        let items = ledger.reader().setup_items()?;
        let mapping = self.settings.map_id.as_deref();
        let mapping = mapping.or(id_in(&items, MAPPING)).unwrap_or_default();
        let secret = part.0.map(|kind| self.secrets.ensure(kind)).transpose()?;
        let secret = secret.as_ref().map(Secret::reveal);
        let shown = self.body(part, mapping, HIDDEN)?;
        let body = self.body(part, mapping, secret.unwrap_or_default())?;
        let secret = secret.map(|secret| PublicKey::from_text(secret, "the secrets"));
        let secret = secret.transpose()?;
        if self.settings.options.print {
            self.print_request(part, &shown);
        }
        let (name, request) = (part.name(), Digest::of(shown.as_bytes()));
        abort_point("before-setup-claim");
        if !ledger.claim_setup(name, &request, Timestamp::now())? {
            bail!(
                "{} was created meanwhile; run `caseload setup` again",
                part.title()
            );
        }
        abort_point("after-setup-claim");
        let call = self
            .management
            .create(part.collection(), name, body, secret);
        let outcome = call.await;
        abort_point("before-setup-settle");
        let (answer, state) = (&outcome.answer, outcome.verdict.state());
        let id = answer.case_id.as_deref();
        let id = id.filter(|_| outcome.verdict == Verdict::Imported);
        let message = answer.message.as_deref();
        ledger.settle_setup(name, state, id, message, Timestamp::now())?;
        abort_point("after-setup-settle");
        Ok(outcome)
    }

    /// Shows what is there, and offers to write the mapping's id into the config.
    fn close(&self, ledger: &Ledger, stopped: Option<Stopped>) -> Result<Exit> {
        let (settings, output) = (self.settings, self.settings.platform.output);
        let items = ledger.reader().setup_items()?;
        let mut created = Map::new();
        for item in &items {
            if let Some(id) = id_in(&items, &item.name) {
                created.insert(item.name.clone(), id.into());
                if !output.json && !output.quiet {
                    print_result(&format!("{:12} {}", item.name, escaped(id)));
                }
            }
        }
        if settings.public_url.is_none() && !output.quiet {
            print_status("no subscriptions without the address that events go to: --public-url");
        }
        self.warn_changed(&items)?;
        let (exit, error) = stopped.unzip();
        let exit = exit.unwrap_or(Exit::Done);
        if output.json {
            let mut closing = json!({
                "account": settings.platform.account.as_str(),
                "created": created,
                "secrets": settings.secrets.display().to_string(),
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
            self.offer_config(id)?;
        }
        Ok(exit)
    }

    /// A mapping is not changed after it was created.
    fn warn_changed(&self, items: &[SetupItem]) -> Result<()> {
        let mapping = items.iter().find(|item| item.name == MAPPING);
        let created_from = mapping.and_then(|item| item.request);
        let now = Digest::of(self.body(Part(None), "", "")?.as_bytes());
        if self.settings.map_id.is_none() && created_from.is_some_and(|digest| digest != now) {
            print_warning(
                "the fields of the config have changed since the mapping was created: change it \
                 on the platform too, or create another with `setup --name`, after \
                 --not-created mapping",
            );
        }
        Ok(())
    }

    fn offer_config(&self, id: &str) -> Result<()> {
        let lines = [("map_id", id), ("case_id_field", CASE_ID_FIELD)];
        if let Some(path) = &self.settings.platform.config.path {
            let question = format!("Write the mapping's id into {}?", path.display());
            let asked = || is_interactive() && confirm(&question).unwrap_or(false);
            if self.settings.options.write_config || asked() {
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
}

/// Why a part is not there.
fn explain(part: Part, outcome: &Outcome) -> Stopped {
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
        part.collection().setting()
    );
    (exit, text)
}

fn escaped_json(value: &Value) -> String {
    let pretty = serde_json::to_string_pretty(value).unwrap_or_default();
    let lines = pretty.lines().map(escaped);
    lines.collect::<Vec<_>>().join("\n")
}

/// `setup list`, `setup show` and `setup delete`.
pub(super) fn manage(settings: &ManagementSettings, action: &SetupAction) -> Result<Exit> {
    let management = &settings.management;
    block_on(async {
        match action {
            SetupAction::List(_) => list(management, settings.output).await,
            SetupAction::Show { id, .. } => {
                let (_, found) = find(management, id).await?;
                print_result(&escaped_json(&without_secret(found)));
                Ok(Exit::Done)
            }
            SetupAction::Delete { id, yes, .. } => {
                let (collection, _) = find(management, id).await?;
                if collection == Collection::Mappings {
                    bail!(
                        "{id} is a mapping, and the cases imported through it need it: it can \
                         only be deleted on the platform"
                    );
                }
                if !yes && !confirm(&format!("Delete the subscription {id}?"))? {
                    print_status("nothing was deleted");
                    return Ok(Exit::Stopped);
                }
                management.delete(collection, id).await?;
                print_status(&format!("deleted {}", escaped(id)));
                forget(settings, id)?;
                Ok(Exit::Done)
            }
        }
    })?
}

/// Lets `setup` create another in its place.
fn forget(settings: &ManagementSettings, id: &str) -> Result<()> {
    let Ok((ledger, _)) = ledgers::open_to_resolve(&settings.ledger, None) else {
        return Ok(());
    };
    for item in ledger.reader().setup_items()? {
        if item.id.as_deref() == Some(id) {
            ledger.settle_setup(&item.name, State::Removed, None, None, Timestamp::now())?;
        }
    }
    Ok(())
}

async fn list(management: &Management, output: OutputOptions) -> Result<Exit> {
    for (collection, title) in [
        (Collection::Mappings, "mapping"),
        (Collection::Subscriptions, "subscription"),
    ] {
        let members = management.list(collection).await?;
        if !output.json {
            print_result(&count(members.len() as u64, title));
        }
        for member in members {
            let member = without_secret(member);
            if output.json {
                print_json(&json!({"schema": 1, title: member}));
            } else {
                print_result(&format!("  {}", escaped(&member.to_string())));
            }
        }
    }
    Ok(Exit::Done)
}

/// The mapping or subscription with this id.
async fn find(management: &Management, id: &str) -> Result<(Collection, Value)> {
    for collection in [Collection::Mappings, Collection::Subscriptions] {
        match management.show(collection, id).await {
            Ok(found) => return Ok((collection, found)),
            Err(ManagementError::Unexpected { status: 404, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("there is neither a mapping nor a subscription {id}; see `caseload setup list`")
}

/// Hides what the platform shows of secrets.
fn without_secret(member: Value) -> Value {
    let shown = |(name, value): (String, Value)| match name.to_lowercase().contains("secret") {
        true => (name, HIDDEN.into()),
        false => (name, without_secret(value)),
    };
    match member {
        Value::Array(parts) => parts.into_iter().map(without_secret).collect(),
        Value::Object(parts) => parts.into_iter().map(shown).collect(),
        other => other,
    }
}
