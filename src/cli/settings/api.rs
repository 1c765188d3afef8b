//! The account and the address of the call.

use anyhow::{Result, bail};

use super::environment;
use crate::api::{Account, Address};
use crate::cli::args::AccountArgs;
use crate::config::Config;

pub(super) fn base_url(args: &AccountArgs, config: Option<&Config>) -> Option<String> {
    args.base_url
        .clone()
        .or_else(|| environment("LEXAMICA_BASE_URL"))
        .or_else(|| config?.api.base_url.clone())
}

fn org_id(args: &AccountArgs, config: Option<&Config>) -> Option<String> {
    args.org_id
        .clone()
        .or_else(|| environment("LEXAMICA_ORG_ID"))
        .or_else(|| config?.api.org_id.clone())
}

pub(super) fn map_id(flag: Option<String>, config: Option<&Config>) -> Option<String> {
    flag.or_else(|| environment("LEXAMICA_MAP_ID"))
        .or_else(|| config?.api.map_id.clone())
}

/// The settings that every call needs and that are not there.
pub(super) fn missing(
    args: &AccountArgs,
    map_id: Option<&str>,
    config: Option<&Config>,
) -> Vec<&'static str> {
    let mut missing = Vec::new();
    if base_url(args, config).is_none() {
        missing.push("base URL: --base-url, LEXAMICA_BASE_URL or [api] base_url in the config");
    }
    if map_id.is_none() {
        missing.push("map id: --map-id, LEXAMICA_MAP_ID or [api] map_id in the config");
    }
    missing
}

pub(super) fn refuse_missing(missing: &[&str]) -> Result<()> {
    if !missing.is_empty() {
        bail!(
            "missing settings:\n  {}\n--sandbox makes a test run without them",
            missing.join("\n  ")
        );
    }
    Ok(())
}

/// The account alone, which does not depend on the mapping.
pub(super) fn account(args: &AccountArgs, config: Option<&Config>) -> Result<Account> {
    refuse_missing(&missing(args, Some("any"), config))?;
    let map_id = config.and_then(|config| config.api.map_id.as_deref());
    let address = address(args, config, map_id.unwrap_or("any"))?;
    Ok(address.account().clone())
}

/// The address of the call.
pub(super) fn address(
    args: &AccountArgs,
    config: Option<&Config>,
    map_id: &str,
) -> Result<Address> {
    let base_url = base_url(args, config).unwrap_or_default();
    let template = config.and_then(|config| config.api.path.as_deref());
    let org_id = org_id(args, config);
    Ok(Address::new(
        &base_url,
        org_id.as_deref(),
        map_id,
        template,
    )?)
}
