//! `caseload setup`: creates the Case mapping and the webhook subscriptions, each
//! once, with a claim before its call as for a case.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Exit, block_on, ledgers};
use crate::api::{Collection, Management, ManagementError, PublicKey, has_text, id_of};
use crate::cli::args::SetupAction;
use crate::cli::settings::{CASE_ID_FIELD, ManagementSettings, SetupSettings};
use crate::config;
use crate::ledger::{Ledger, SetupItem};
use crate::model::{Digest, EventKind, State, Verdict, abort_point, count};
use crate::output::terminal::streams::{
    OutputOptions, confirm, is_interactive, print_json, print_result, print_status, print_warning,
};
use crate::output::terminal::text::escaped;
use crate::webhooks::Secrets;

/// The name of the mapping in the ledger and in `--created`.
const MAPPING: &str = "mapping";
/// Stands for a secret where it would be shown.
const HIDDEN: &str = "[secret]";
/// Between two calls, as between those of an import (guide).
const PAUSE: Duration = Duration::from_millis(100);

/// What is to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Mapping,
    Subscription(EventKind),
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Mapping => MAPPING,
            Self::Subscription(kind) => kind.as_str(),
        }
    }

    fn title(self) -> String {
        match self {
            Self::Mapping => "the Case mapping".to_owned(),
            Self::Subscription(kind) => format!("the subscription to {}", kind.label()),
        }
    }

    const fn collection(self) -> Collection {
        match self {
            Self::Mapping => Collection::Mappings,
            Self::Subscription(_) => Collection::Subscriptions,
        }
    }
}

/// Runs the command.
pub(super) fn run(settings: &SetupSettings) -> Result<Exit> {
    let mut setup = Setup::new(settings)?;
    if settings.options.dry_run {
        return setup.show();
    }
    let ledger = ledgers::open_for_setup(settings)?;
    setup.record_decisions(&ledger)?;
    let known = ledger.reader().setup_items()?;
    if let Some(doubt) = known.iter().find(|item| item.state == State::InDoubt) {
        return setup.stop_in_doubt(doubt);
    }
    let missing = setup.missing(&known);
    if !setup.is_confirmed(&missing) {
        print_status("nothing was created");
        return Ok(Exit::Stopped);
    }
    let exit = block_on(setup.create(&ledger, &missing))??;
    setup.close(&ledger, exit)
}

/// One run of the command.
struct Setup<'s> {
    settings: &'s SetupSettings,
    management: Management,
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
            management: settings.platform.management()?,
            secrets,
        })
    }

    /// The parts that are wanted, in the order in which they are created.
    fn wanted(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.settings.map_id.is_none() {
            parts.push(Part::Mapping);
        }
        if self.settings.public_url.is_some() {
            parts.extend(EventKind::ALL.iter().map(|kind| Part::Subscription(*kind)));
        }
        parts
    }

    fn missing(&self, known: &[SetupItem]) -> Vec<Part> {
        let is_there = |part: &Part| {
            let mut known = known.iter();
            known.any(|item| item.name == part.name() && item.state == State::Imported)
        };
        let mut parts = self.wanted();
        parts.retain(|part| !is_there(part));
        parts
    }

    /// The address of an event's path.
    fn url(&self, kind: EventKind) -> String {
        let base = self.settings.public_url.as_ref().map(ToString::to_string);
        format!("{}/{kind}", base.unwrap_or_default().trim_end_matches('/'))
    }

    /// The body that creates a part.
    fn body(&self, part: Part, mapping: &str, secret: &str) -> Result<String> {
        let bodies = &self.settings.platform.bodies;
        Ok(match part {
            Part::Mapping => {
                let mut pairs = self.settings.rules.platform_pairs();
                // By this, answers and events carry the case's id.
                pairs.push((CASE_ID_FIELD.to_owned(), "_id".to_owned()));
                bodies.mapping(&self.settings.options.name, &pairs)?
            }
            Part::Subscription(kind) => {
                bodies.subscription(kind.label(), &self.url(kind), secret, mapping)?
            }
        })
    }

    /// `--dry-run`: every request in full, but for key and secret.
    fn show(&self) -> Result<Exit> {
        let mapping = self
            .settings
            .map_id
            .as_deref()
            .unwrap_or("[id of the mapping]");
        for part in self.wanted() {
            self.print_request(part, &self.body(part, mapping, HIDDEN)?);
        }
        Ok(Exit::Done)
    }

    fn print_request(&self, part: Part, body: &str) {
        let url = self.management.url(part.collection());
        if self.settings.output.json {
            let body: Value = serde_json::from_str(body).unwrap_or_default();
            print_json(
                &json!({"schema": 1, "name": part.name(), "method": "POST", "url": url, "body": body}),
            );
        } else {
            let pretty: Value = serde_json::from_str(body).unwrap_or_default();
            print_result(&format!(
                "{}:\nPOST {}\n{}\n",
                part.title(),
                escaped(url),
                escaped_json(&pretty)
            ));
        }
    }

    /// Records what the user says of parts that were in doubt, or were there.
    fn record_decisions(&self, ledger: &Ledger) -> Result<()> {
        let options = &self.settings.options;
        let created = options
            .created
            .iter()
            .map(|(name, id)| (name, State::Imported, Some(id)));
        let not_created = options
            .not_created
            .iter()
            .map(|name| (name, State::NotSent, None));
        for (name, state, id) in created.chain(not_created) {
            let kinds = EventKind::ALL.iter().map(|kind| kind.as_str());
            let names: Vec<_> = [MAPPING].into_iter().chain(kinds).collect();
            if !names.contains(&name.as_str()) {
                bail!(
                    "there is no {name:?} to set up; expected {}",
                    names.join(", ")
                );
            }
            let by_user = Some("by the user's word");
            ledger.settle_setup(
                name,
                state,
                id.map(String::as_str),
                by_user,
                Timestamp::now(),
            )?;
        }
        Ok(())
    }

    fn stop_in_doubt(&self, item: &SetupItem) -> Result<Exit> {
        let name = &item.name;
        let message = item.message.as_deref().unwrap_or_default();
        bail_in_doubt(
            self.settings.output,
            &format!(
                "{name} may or may not have been created ({}): look for it with `caseload setup \
                 list`, then say --created {name}=ID or --not-created {name}",
                escaped(message)
            ),
        )
    }

    fn is_confirmed(&self, missing: &[Part]) -> bool {
        let names: Vec<_> = missing
            .iter()
            .map(|part| format!("\n  {}", part.title()))
            .collect();
        if missing.is_empty() || self.settings.options.yes {
            return true;
        }
        print_status(&format!(
            "to create for {}:{}",
            self.settings.platform.account,
            names.concat()
        ));
        confirm("Create them?").unwrap_or(false)
    }

    async fn create(&mut self, ledger: &Ledger, missing: &[Part]) -> Result<Exit> {
        for (position, part) in missing.iter().enumerate() {
            if position > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            if !self.settings.options.skip_lookup {
                self.refuse_known(*part).await?;
            }
            let exit = self.create_part(ledger, *part).await?;
            if exit != Exit::Done {
                return Ok(exit);
            }
        }
        Ok(Exit::Done)
    }

    /// Refuses to create what the platform has, whatever the ledger knows.
    async fn refuse_known(&self, part: Part) -> Result<()> {
        let list = self.management.list(part.collection()).await;
        let list = list.context(
            "can't see what exists on the platform; to create without looking, add --skip-lookup",
        )?;
        let is_it = |member: &&Value| match part {
            Part::Mapping => has_text(member, &self.settings.options.name),
            Part::Subscription(kind) => {
                has_text(member, &self.url(kind)) && has_text(member, kind.label())
            }
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

    async fn create_part(&mut self, ledger: &Ledger, part: Part) -> Result<Exit> {
        let mapping = match &self.settings.map_id {
            Some(id) => id.clone(),
            None => mapping_id(ledger)?.unwrap_or_default(),
        };
        let secret = match part {
            Part::Mapping => None,
            Part::Subscription(kind) => Some(self.secrets.ensure(kind)?),
        };
        let shown = self.body(part, &mapping, HIDDEN)?;
        if self.settings.options.print {
            self.print_request(part, &shown);
        }
        let text = secret.as_ref().map_or("", |secret| secret.reveal());
        let body = self.body(part, &mapping, text)?;
        let secret = secret.map(|secret| PublicKey::from_text(secret.reveal(), "the secrets"));
        let digest = Digest::of(shown.as_bytes());
        abort_point("before-setup-claim");
        if !ledger.claim_setup(part.name(), &digest, Timestamp::now())? {
            bail!(
                "{} was created meanwhile; run `caseload setup` again",
                part.title()
            );
        }
        abort_point("after-setup-claim");
        let collection = part.collection();
        let (_, outcome) =
            self.management
                .create(collection, part.name(), body, secret.transpose()?);
        let outcome = outcome.await;
        abort_point("before-setup-settle");
        let (answer, verdict) = (outcome.answer, outcome.verdict);
        let id = answer
            .case_id
            .as_deref()
            .filter(|_| verdict == Verdict::Imported);
        let message = answer.message.as_deref();
        ledger.settle_setup(part.name(), verdict.state(), id, message, Timestamp::now())?;
        abort_point("after-setup-settle");
        if let Some(id) = id {
            if !self.settings.output.quiet {
                print_status(&format!("created {}: {}", part.title(), escaped(id)));
            }
            return Ok(Exit::Done);
        }
        let body = answer.body.as_deref().or(message).unwrap_or("none");
        let what = match verdict {
            Verdict::InDoubt | Verdict::Imported => "may or may not have been created",
            Verdict::Rejected => "was refused by the server",
            Verdict::NotSent => "was not created",
        };
        let status = answer
            .status
            .map_or(String::new(), |status| format!(" {status}"));
        let text = format!(
            "{} {what}; the answer{status}: {}\nif its path or body differ from what the server \
             expects, set {} or api.bodies; see them with --dry-run",
            part.title(),
            escaped(body),
            collection.setting()
        );
        if verdict == Verdict::InDoubt {
            return bail_in_doubt(self.settings.output, &text);
        }
        super::print_error(&text);
        Ok(Exit::Stopped)
    }

    /// Shows what is there, and offers to write the mapping's id into the config.
    fn close(&self, ledger: &Ledger, exit: Exit) -> Result<Exit> {
        let settings = self.settings;
        let items = ledger.reader().setup_items()?;
        let created = items.iter().filter(|item| item.state == State::Imported);
        if settings.output.json {
            let ids = created.map(|item| (item.name.clone(), json!(item.id)));
            print_json(&json!({
                "schema": 1,
                "command": "setup",
                "account": settings.platform.account.as_str(),
                "created": ids.collect::<Map<_, _>>(),
                "secrets": settings.secrets.display().to_string(),
                "exit_code": exit.code(),
            }));
        } else if !settings.output.quiet {
            for item in created {
                let id = item.id.as_deref().unwrap_or_default();
                print_result(&format!("{:12} {}", item.name, escaped(id)));
            }
            if settings.public_url.is_none() {
                print_status(
                    "no subscriptions without the address that events go to: --public-url",
                );
            }
        }
        self.warn_changed(&items)?;
        if exit == Exit::Done
            && let Some(id) = mapping_id(ledger)?
            && settings.map_id.as_ref() != Some(&id)
        {
            self.offer_config(&id)?;
        }
        Ok(exit)
    }

    /// A mapping is not changed after it was created.
    fn warn_changed(&self, items: &[SetupItem]) -> Result<()> {
        let mapping = items.iter().find(|item| item.name == MAPPING);
        let created_from = mapping.and_then(|item| item.request);
        let now = Digest::of(self.body(Part::Mapping, "", "")?.as_bytes());
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
        let settings = self.settings;
        let lines = [("map_id", id), ("case_id_field", CASE_ID_FIELD)];
        let Some(path) = &settings.config else {
            print_status(&format!(
                "for the config:\n[api]\nmap_id = {}\ncase_id_field = {}",
                Value::from(id),
                Value::from(CASE_ID_FIELD)
            ));
            return Ok(());
        };
        let question = format!("Write the mapping's id into {}?", path.display());
        if settings.options.write_config || (is_interactive() && confirm(&question)?) {
            config::set_api(path, &lines)?;
            print_status(&format!("{} has the mapping's id now", path.display()));
        } else {
            print_status(&format!(
                "the config has no map_id yet: add map_id = {} and case_id_field = {} to [api], \
                 or run `caseload setup --write-config`",
                Value::from(id),
                Value::from(CASE_ID_FIELD)
            ));
        }
        Ok(())
    }
}

fn mapping_id(ledger: &Ledger) -> Result<Option<String>> {
    let items = ledger.reader().setup_items()?.into_iter();
    let mut created = items.filter(|item| item.name == MAPPING && item.state == State::Imported);
    Ok(created.next().and_then(|item| item.id))
}

fn bail_in_doubt(output: OutputOptions, text: &str) -> Result<Exit> {
    super::print_error(text);
    if output.json {
        print_json(&json!({"schema": 1, "command": "setup", "error": text, "exit_code": 4}));
    }
    Ok(Exit::InDoubt)
}

fn escaped_json(value: &Value) -> String {
    let pretty = serde_json::to_string_pretty(value).unwrap_or_default();
    let lines = pretty.lines().map(escaped);
    lines.collect::<Vec<_>>().join("\n")
}

/// `setup list`, `setup show` and `setup delete`.
pub(super) fn manage(settings: &ManagementSettings, action: &SetupAction) -> Result<Exit> {
    let management = settings.management()?;
    block_on(async {
        match action {
            SetupAction::List(_) => list(&management, settings.output).await,
            SetupAction::Show { id, .. } => {
                let (_, found) = find(&management, id).await?;
                print_result(&escaped_json(&without_secret(found)));
                Ok(Exit::Done)
            }
            SetupAction::Delete { id, yes, .. } => {
                let (collection, _) = find(&management, id).await?;
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

/// Hides what the platform shows of a secret.
fn without_secret(mut member: Value) -> Value {
    if let Some(members) = member.as_object_mut() {
        for (_, value) in members
            .iter_mut()
            .filter(|(name, _)| name.to_lowercase().contains("secret"))
        {
            *value = HIDDEN.into();
        }
    }
    member
}
