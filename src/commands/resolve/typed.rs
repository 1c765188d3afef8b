//! Keys as people type them, with the case ids that they found.

use std::collections::HashMap;

use anyhow::{Result, bail};

use crate::model::Key;

/// `KEY=CASE_ID`, split at the last `=`; a JSON array that is whole is a key,
/// and nothing behind the `=` is no id.
pub(super) fn key_and_id(text: &str) -> (Key, Option<String>) {
    if Key::parse(text).is_ok() {
        return (Key::from_typed(text), None);
    }
    match text.rsplit_once('=') {
        Some((key, id)) if !key.trim().is_empty() => {
            let id = id.trim();
            (
                Key::from_typed(key),
                (!id.is_empty()).then(|| id.to_owned()),
            )
        }
        _ => (Key::from_typed(text), None),
    }
}

/// Named cases, each once, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Named {
    all: Vec<(Key, Option<String>)>,
    positions: HashMap<Key, usize>,
}

impl Named {
    /// Adds a case, unless it was named before. Two ids for one are a mistake.
    pub(super) fn add(&mut self, (key, id): (Key, Option<String>)) -> Result<()> {
        let Some(&position) = self.positions.get(&key) else {
            self.positions.insert(key.clone(), self.all.len());
            self.all.push((key, id));
            return Ok(());
        };
        let before = &mut self.all[position].1;
        match (&before, id) {
            (_, None) => {}
            (Some(before), Some(id)) if *before == id => {}
            (None, id) => *before = id,
            (Some(before), Some(id)) => {
                bail!("case {key} is named with two case ids: {before} and {id}")
            }
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.all.iter().map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn into_all(self) -> Vec<(Key, Option<String>)> {
        self.all
    }

    /// Those of them only.
    pub(super) fn into_those(self, keys: impl Iterator<Item = Key>) -> Vec<(Key, Option<String>)> {
        keys.filter_map(|key| {
            let position = *self.positions.get(&key)?;
            Some((key, self.all[position].1.clone()))
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stands_behind_the_last_equals_sign() {
        for (typed, parts, id) in [
            ("L-1", &["L-1"][..], None),
            ("L-1=c1", &["L-1"], Some("c1")),
            ("a=b=c1", &["a=b"], Some("c1")),
            ("a=b=", &["a=b"], None),
            ("=c1", &["=c1"], None),
            (r#"["a=1","b"]"#, &["a=1", "b"], None),
            (r#"["a=1","b"]=c1"#, &["a=1", "b"], Some("c1")),
        ] {
            let (key, found) = key_and_id(typed);
            assert_eq!(key, Key::new(parts), "{typed}");
            assert_eq!(found.as_deref(), id, "{typed}");
        }
    }

    #[test]
    fn a_case_is_named_once_and_with_one_id() {
        let mut named = Named::default();
        for text in ["a", "b=1", "a=2", "b"] {
            named.add(key_and_id(text)).unwrap();
        }
        assert!(named.add(key_and_id("a=3")).is_err());
        assert_eq!(
            named.into_all(),
            [
                (Key::new(["a"]), Some("2".to_owned())),
                (Key::new(["b"]), Some("1".to_owned()))
            ]
        );
    }
}
