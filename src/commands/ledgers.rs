//! Finding, opening and creating ledgers, by the rules that keep a wrong or an
//! empty one from being used unnoticed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use crate::api::Account;
use crate::cli::args::LedgerPermissions;
use crate::cli::settings::{ImportSettings, LedgerChoice, SANDBOX_LEDGER, SetupSettings, in_ci};
use crate::ledger::{
    self, KnownLedger, LOCK_PATIENCE, Ledger, LedgerInfo, LedgerReader, Location, Records,
};
use crate::model::State;
use crate::output::terminal::color;
use crate::output::terminal::status::{moved_warning, older_copy, time};
use crate::output::terminal::streams::{OutputOptions, print_status, print_warning};
use crate::output::terminal::text::{count, escaped, escaped_path};

/// Opens an existing ledger to read it.
pub(super) fn open_to_read(choice: &LedgerChoice) -> Result<(LedgerReader, LedgerInfo)> {
    let reader = ledger::open_read_only(&existing(choice, "")?, records(choice))?;
    let info = reader.info()?;
    refuse_other_id(&info, choice)?;
    refuse_other_account(&info, choice, LEAVE_OUT)?;
    Ok((reader, info))
}

/// The ledger that an import would use; none if the first one would create it.
/// Refused as the import would, as far as no permission is needed.
pub(super) fn look(choice: &LedgerChoice) -> Result<Option<LedgerInfo>> {
    let Some(account) = &choice.account else {
        return open_to_read(choice).map(|(_, info)| Some(info));
    };
    let wanted = WantedLedger {
        choice,
        location: &choice.location_of(account)?,
        account,
        permissions: &LedgerPermissions::default(),
        asks: true,
        dry_run: false,
        quiet: true,
    };
    if !ledger::exists(wanted.location)? {
        wanted.refuse_new(&known())?;
        return Ok(None);
    }
    let info = ledger::open_read_only(wanted.location, records(choice))?.info()?;
    wanted.refuse_unexpected(&info)?;
    Ok(Some(info))
}

/// Opens an existing ledger to resolve cases, while a run may use it.
pub(super) fn open_to_resolve(
    choice: &LedgerChoice,
    accepted: Option<&String>,
) -> Result<(Ledger, LedgerInfo)> {
    let ledger = ledger::open_to_resolve(&existing(choice, IF_LOST)?, records(choice))?;
    let info = ledger.reader().info()?;
    refuse_other_id(&info, choice)?;
    refuse_other_account(&info, choice, LEAVE_OUT)?;
    refuse_older(&info, accepted)?;
    Ok((ledger, info))
}

/// Opens an existing ledger that no run uses, to forget cases.
pub(super) fn open_to_forget(choice: &LedgerChoice) -> Result<(Ledger, LedgerInfo)> {
    let ledger = ledger::open(&existing(choice, "")?, records(choice), LOCK_PATIENCE)?;
    let info = ledger.reader().info()?;
    refuse_other_id(&info, choice)?;
    refuse_other_account(&info, choice, LEAVE_OUT)?;
    Ok((ledger, info))
}

/// A ledger and the files that belong to it, which stand beside the file itself
/// and not beside a link to it.
pub(super) fn paths(ledger: &Path) -> [PathBuf; 2] {
    let ledger = ledger.canonicalize().unwrap_or_else(|_| ledger.to_owned());
    [ledger::beside(&ledger, "-journal"), ledger]
}

/// The way out where no command changes the account of a ledger.
const LEAVE_OUT: &str = "name this account's ledger with --ledger, or leave the account out";

/// How cases get into a ledger without being sent.
const IF_LOST: &str = ". Restore it from a backup; if it is lost, create an empty one with \
    `CI=true caseload import FILE --new-ledger`, which sends nothing, then record its cases with \
    `caseload resolve --imported --list FILE`";

/// What this machine remembers of its ledgers; nothing of test runs.
fn records(choice: &LedgerChoice) -> Option<Records> {
    let records = Records::of_user().ok();
    records.filter(|_| !choice.is_sandbox())
}

/// The ledger that is chosen, if it exists.
fn existing(choice: &LedgerChoice, if_lost: &str) -> Result<Location> {
    let location = match (&choice.location, &choice.account) {
        (Some(location), _) => location.clone(),
        (None, Some(account)) => {
            ledger::default_path(&ledger::state_folder()?, account.as_str()).into()
        }
        (None, None) => return only_ledger(if_lost).map(Location::File),
    };
    if ledger::exists(&location)? {
        return Ok(location);
    }
    ensure!(
        !choice.is_sandbox(),
        "there is no {SANDBOX_LEDGER} in this folder: `caseload import FILE --sandbox` creates one"
    );
    let account = match &choice.account {
        Some(account) => format!(" for {account}"),
        None => String::new(),
    };
    let others = match known().as_slice() {
        [] => String::new(),
        others => format!("; these exist, for --ledger:{}", listed(others)),
    };
    bail!(
        "there is no ledger{account} at {}{if_lost}{others}",
        location.path().display()
    )
}

/// Every ledger that this machine knows; none if the state folder can't be
/// determined.
pub(super) fn known() -> Vec<KnownLedger> {
    let folder = ledger::state_folder();
    folder.map_or_else(|_| Vec::new(), |folder| ledger::known(&folder))
}

/// The only ledger in the state folder.
fn only_ledger(if_lost: &str) -> Result<PathBuf> {
    let folder = ledger::state_folder()?;
    let mut found = ledger::discover(&folder)?;
    // Test runs have their own ledger, which is often the one that is wanted.
    let test_runs = if Path::new(SANDBOX_LEDGER).exists() {
        "\nFor the test runs in this folder use --sandbox"
    } else {
        ""
    };
    match found.len() {
        0 => bail!(
            "there is no ledger in {}: the first import of an account creates one. Name one that \
             is elsewhere with --ledger{if_lost}{test_runs}",
            folder.display(),
        ),
        1 => Ok(found.remove(0).path),
        number => bail!(
            "there are {}; name one with --ledger, or its account with --base-url and \
             --org-id{}{test_runs}",
            count(number as u64, "ledger"),
            listed(&found),
        ),
    }
}

fn refuse_other_account(info: &LedgerInfo, choice: &LedgerChoice, way_out: &str) -> Result<()> {
    match &choice.account {
        Some(account) if account.as_str() != info.account => bail!(
            "{} is the ledger of {}, not of {account}; {way_out}",
            info.path.display(),
            escaped(&info.account)
        ),
        _ => Ok(()),
    }
}

fn refuse_other_id(info: &LedgerInfo, choice: &LedgerChoice) -> Result<()> {
    match &choice.id {
        Some(id) if *id != info.id => bail!(
            "{} is the ledger {}, expected ledger {id} (CASELOAD_LEDGER_ID or [ledger] id): \
             restore a lost ledger from a backup instead of using another",
            info.path.display(),
            info.id
        ),
        _ => Ok(()),
    }
}

/// Reports which ledger is used, for commands that do not show it otherwise.
pub(super) fn report_ledger(info: &LedgerInfo, output: OutputOptions) {
    if output.quiet {
        return;
    }
    print_status(&color::dim(&format!(
        "ledger {}, with {} of {}",
        escaped_path(&info.path),
        count(info.counts.total(), "case"),
        escaped(&info.account)
    )));
    warn_moved(info);
}

fn warn_moved(info: &LedgerInfo) {
    if let Some(path) = &info.moved_from {
        print_warning(&moved_warning(path));
    }
    if let Some(missing) = &info.missing {
        print_warning(&older_copy(missing));
    }
}

/// How many ledgers a message lists.
const MOST_LEDGERS: usize = 4;

/// Ledgers with what tells them apart, one a line.
pub(super) fn listed<'l>(ledgers: impl IntoIterator<Item = &'l KnownLedger>) -> String {
    let mut listed = String::new();
    let mut ledgers = ledgers.into_iter();
    for ledger in ledgers.by_ref().take(MOST_LEDGERS) {
        // Writing to a String can't fail.
        let _ = write!(
            listed,
            "\n  {} {}",
            escaped_path(&ledger.path),
            about(ledger)
        );
    }
    let more = ledgers.count() as u64;
    if more > 0 {
        let more = count(more, "more ledger");
        let _ = write!(listed, "\n  … and {more}: see `caseload ledger list`");
    }
    listed
}

/// What tells a ledger from others, after its path.
pub(super) fn about(ledger: &KnownLedger) -> String {
    let account = ledger.account.as_deref();
    let account = account.map_or("an unknown account".to_owned(), escaped);
    let mut about = match &ledger.info {
        Ok(info) => format!(
            "has {} of {account}, {} in doubt",
            count(info.counts.total(), "case"),
            info.counts.of(State::InDoubt) + info.counts.of(State::Sending)
        ),
        Err(_) if Location::is_address(&ledger.path) => format!("of {account}, on a server"),
        Err(error) => format!(
            "of {account} can't be used: {}",
            escaped(&error.to_string())
        ),
    };
    let last_run = ledger.info.as_ref().ok().and_then(|info| info.last_run_at);
    // Writing to a String can't fail.
    if let Some(at) = last_run {
        let _ = write!(about, "; last import {}", time(at));
    }
    if let Some(id) = &ledger.id {
        let _ = write!(about, "; id {}", escaped(id));
    }
    about
}

/// The ledger of an import.
pub(super) enum ImportLedger {
    Existing(Box<Ledger>, Box<LedgerInfo>),
    /// A dry run only reads.
    ReadOnly(Box<LedgerReader>, Box<LedgerInfo>),
    /// None exists; one may be created once the user has agreed.
    Missing {
        /// Other ledgers.
        others: Vec<KnownLedger>,
    },
}

impl ImportLedger {
    pub(super) fn reader(&self) -> Option<&LedgerReader> {
        match self {
            Self::Existing(ledger, _) => Some(ledger.reader()),
            Self::ReadOnly(reader, _) => Some(reader),
            Self::Missing { .. } => None,
        }
    }

    /// As it was opened.
    pub(super) fn info(&self) -> Option<&LedgerInfo> {
        match self {
            Self::Existing(_, info) | Self::ReadOnly(_, info) => Some(info),
            Self::Missing { .. } => None,
        }
    }

    /// The ledger that a run writes to, created if it does not exist.
    pub(super) fn into_ledger(self, settings: &ImportSettings) -> Result<Ledger> {
        match self {
            Self::Existing(ledger, _) => Ok(*ledger),
            Self::Missing { .. } => Ok(ledger::create(
                &settings.ledger_location,
                records(&settings.ledger),
                settings.destination.account.as_str(),
            )?),
            Self::ReadOnly(..) => bail!("a dry run sends nothing"),
        }
    }
}

/// Opens the ledger of an import, or makes sure that it may be created.
pub(super) fn open_for_import(settings: &ImportSettings) -> Result<ImportLedger> {
    let wanted = WantedLedger::of_import(settings);
    let location = wanted.location;
    let records = records(&settings.ledger);
    let dry_run = settings.args.sending.dry_run;
    // A dry run does not forget earlier test runs: it shows what would be sent
    // without them.
    if !ledger::exists(location)? || (dry_run && settings.args.fresh) {
        // Whatever host they are for: under a new name of the host the right one
        // may be among them.
        let others = if settings.ledger.is_sandbox() {
            Vec::new()
        } else {
            known()
        };
        wanted.refuse_new(&others)?;
        return Ok(ImportLedger::Missing { others });
    }
    if dry_run {
        let reader = ledger::open_read_only(location, records)?;
        let info = Box::new(reader.info()?);
        wanted.refuse_unexpected(&info)?;
        return Ok(ImportLedger::ReadOnly(Box::new(reader), info));
    }
    let mut ledger = ledger::open(location, records, settings.args.wait.max(LOCK_PATIENCE))?;
    let info = Box::new(ledger.reader().info()?);
    wanted.refuse_unexpected(&info)?;
    if settings.args.fresh {
        ledger.delete()?;
        if !settings.output.quiet && !settings.output.json {
            print_status("deleted the ledger of earlier test runs");
        }
        return Ok(ImportLedger::Missing { others: Vec::new() });
    }
    if settings.args.ledger.adopt_ledger {
        ledger.adopt(settings.destination.account.as_str())?;
    }
    if ledger.recovered() > 0 && !settings.output.quiet {
        print_warning(&format!(
            "the previous run did not finish: {} that it was sending {} in doubt now",
            count(ledger.recovered(), "case"),
            if ledger.recovered() == 1 { "is" } else { "are" }
        ));
    }
    Ok(ImportLedger::Existing(Box::new(ledger), info))
}

/// Opens the ledger of a setup, or creates it, by the rules of an import that
/// asks nothing.
pub(super) fn open_for_setup(settings: &SetupSettings) -> Result<Ledger> {
    let choice = &settings.platform.ledger;
    let account = &settings.platform.account;
    let wanted = WantedLedger {
        choice,
        location: &choice.location_of(account)?,
        account,
        permissions: &settings.permissions,
        asks: false,
        dry_run: false,
        quiet: settings.platform.output.quiet,
    };
    if !ledger::exists(wanted.location)? {
        wanted.refuse_new(&known())?;
        return Ok(ledger::create(
            wanted.location,
            records(choice),
            account.as_str(),
        )?);
    }
    let mut ledger = ledger::open(wanted.location, records(choice), LOCK_PATIENCE)?;
    wanted.refuse_unexpected(&ledger.reader().info()?)?;
    if settings.permissions.adopt_ledger {
        ledger.adopt(account.as_str())?;
    }
    Ok(ledger)
}

/// The ledger that a command would use or create, and what it was allowed.
struct WantedLedger<'s> {
    choice: &'s LedgerChoice,
    location: &'s Location,
    account: &'s Account,
    permissions: &'s LedgerPermissions,
    /// A question comes before anything is created.
    asks: bool,
    dry_run: bool,
    quiet: bool,
}

impl<'s> WantedLedger<'s> {
    fn of_import(settings: &'s ImportSettings) -> Self {
        Self {
            choice: &settings.ledger,
            location: &settings.ledger_location,
            account: &settings.destination.account,
            permissions: &settings.args.ledger,
            asks: settings.asks,
            dry_run: settings.args.sending.dry_run,
            quiet: settings.output.quiet,
        }
    }

    /// Refuses an existing ledger that must not be used, and permissions
    /// that have no effect on it.
    fn refuse_unexpected(&self, info: &LedgerInfo) -> Result<()> {
        refuse_other_id(info, self.choice)?;
        let (path, permissions) = (info.path.display(), self.permissions);
        ensure!(
            !permissions.new_ledger,
            "{path} already exists, with {}; leave --new-ledger out",
            count(info.counts.total(), "case")
        );
        let way_out = if self.choice.is_sandbox() {
            "it was not deleted; move it away"
        } else {
            "name this account's ledger with --ledger, or use --adopt-ledger if the account's address \
             has changed"
        };
        match refuse_other_account(info, self.choice, way_out) {
            Ok(()) if permissions.adopt_ledger => bail!(
                "{path} is the ledger of {} already; leave --adopt-ledger out",
                self.account
            ),
            Err(error) if !permissions.adopt_ledger => return Err(error),
            _ => {}
        }
        let accepted = permissions.accept_older_ledger.as_ref();
        if !self.dry_run || accepted.is_some() {
            refuse_older(info, accepted)?;
        }
        if !self.quiet {
            warn_moved(info);
        }
        let sends = !self.choice.is_sandbox() && !self.dry_run;
        ensure!(
            !(sends && in_ci()) || self.choice.id.is_some(),
            "in a CI job the ledger must be named by its id, so that a job that lost it sends nothing \
             twice: set CASELOAD_LEDGER_ID={} or [ledger] id in caseload.toml",
            info.id
        );
        Ok(())
    }

    /// Refuses to do without a ledger that is expected.
    fn refuse_expected(&self, others: &[KnownLedger]) -> Result<()> {
        let (path, permissions) = (self.location.path().display(), self.permissions);
        if let Some(id) = &self.choice.id {
            bail!(
                "there is no ledger at {path}, expected ledger {id}: nothing is sent without it; \
                 restore it from a backup"
            );
        }
        let needs_ledger = |flag: &&str| ["--adopt-ledger", "--accept-older-ledger"].contains(flag);
        if let Some(flag) = permissions.given().find(needs_ledger) {
            bail!(
                "there is no ledger at {path}: name the right one with --ledger, or leave {flag} \
                 out{}",
                listed(others)
            );
        }
        Ok(())
    }

    /// Without a question, a new ledger must be asked for, and a second one of its
    /// account must be meant.
    fn refuse_new(&self, others: &[KnownLedger]) -> Result<()> {
        self.refuse_expected(others)?;
        let path = self.location.path().display();
        let (account, permissions) = (self.account, self.permissions);
        let of_account = |other: &&KnownLedger| other.account.as_deref() == Some(account.as_str());
        let of_account: Vec<&KnownLedger> = others.iter().filter(of_account).collect();
        let beside = &permissions.beside_ledger;
        let is_known = |id: &&String| of_account.iter().any(|other| other.id.as_ref() == Some(id));
        if let Some(id) = beside.iter().find(|id| !is_known(id)) {
            bail!(
                "no ledger {id} of {account} is known; leave --beside-ledger {id} out{}",
                listed(others)
            );
        }
        if self.asks || self.dry_run || self.choice.is_sandbox() {
            return Ok(());
        }
        ensure!(
            permissions.new_ledger,
            "no ledger for {account} at {path}: with an empty one every case is sent. If this is this \
             account's first import, add --new-ledger; if not, find the ledger (another user, another \
             machine, --ledger){}",
            listed(others)
        );
        let ids = of_account.iter().map(|other| other.id.as_ref());
        let unnamed = ids.filter(|id| !id.is_some_and(|id| beside.contains(id)));
        let flags =
            unnamed.map(|id| format!(" --beside-ledger {}", id.map_or("ID", String::as_str)));
        let flags: String = flags.collect();
        ensure!(
            flags.is_empty(),
            "{account} has a ledger already, and with a new one every case is sent again: use that \
             ledger with --ledger, or restore it. If a second ledger is meant, add{flags}{}",
            listed(of_account)
        );
        if !others.is_empty() && !self.quiet {
            print_warning(&format!(
                "the ledger {path} is new; other ledgers exist:{}",
                listed(others)
            ));
        }
        Ok(())
    }
}

/// Refuses a ledger that lacks what this machine has done with it, unless that
/// is accepted by its name.
fn refuse_older(info: &LedgerInfo, accepted: Option<&String>) -> Result<()> {
    let path = info.path.display();
    match (&info.missing, accepted) {
        (None, None) => Ok(()),
        (None, Some(_)) => bail!(
            "{path} lacks nothing that this machine knows of; leave --accept-older-ledger out"
        ),
        (Some(missing), Some(accepted)) if *accepted == missing.attempt => Ok(()),
        (Some(missing), _) => bail!(
            "{path}: {}. If that one is lost, record the cases that this one lacks with `caseload \
             resolve --imported`, or accept that they are sent again, with \
             --accept-older-ledger {}",
            older_copy(missing),
            missing.attempt
        ),
    }
}
