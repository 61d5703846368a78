//! The ledger against the topic.

use std::collections::{BTreeMap, HashMap, HashSet};

use event_stream::{Class, DeadLetter, Message};

use super::{Evidence, Rule, Violation};

/// An event's identity within a bot.
type Name<'a> = (&'a str, u64);

/// Each dispatch is there with its bytes under its key, nothing else is, and first copies are in order. Answers which dispatches are there.
pub(super) fn kept_in_order(evidence: &Evidence, found: &mut Vec<Violation>) -> Vec<bool> {
    let ledger: HashMap<Name<'_>, usize> = evidence
        .dispatches
        .iter()
        .enumerate()
        .map(|(place, dispatch)| ((dispatch.session_id.as_str(), dispatch.sequence), place))
        .collect();
    let mut seen = vec![false; evidence.dispatches.len()];
    // By key: the place in the ledger of the newest event so far.
    let mut newest: BTreeMap<&[u8], usize> = BTreeMap::new();
    for record in &evidence.records {
        let Some(place) = name(record).and_then(|name| ledger.get(&name)) else {
            found.push(Violation::new(Rule::Genuine, format!("{} was never dispatched", of(record))));
            continue;
        };
        let dispatch = &evidence.dispatches[*place];
        if record.payload.as_deref() != Some(dispatch.frame.as_bytes()) {
            found.push(Violation::new(Rule::Unchanged, format!("{} is not what Discord sent", of(record))));
        }
        let key = dispatch.guild_id.map_or(evidence.bot.to_string(), |guild| guild.to_string());
        if record.key.as_deref() != Some(key.as_bytes()) {
            found.push(Violation::new(Rule::Unchanged, format!("{} does not have the key {key}", of(record))));
        }
        if std::mem::replace(&mut seen[*place], true) {
            continue;
        }
        let newest = newest.entry(record.key.as_deref().unwrap_or_default()).or_insert(*place);
        // What has no guild comes from all shards, which are not in order among each other.
        if *place < *newest && dispatch.guild_id.is_some() {
            let passed = &evidence.dispatches[*newest];
            let text = format!("{} comes after {} of {}", of(record), passed.sequence, passed.session_id);
            found.push(Violation::new(Rule::Ordered, text));
        }
        *newest = (*newest).max(*place);
    }
    let refused: HashSet<Name<'_>> =
        evidence.dead.iter().filter(|dead| class(dead) == Some(Class::Refused)).filter_map(name).collect();
    for (dispatch, _) in evidence.dispatches.iter().zip(&seen).filter(|(_, seen)| !**seen) {
        let expired = evidence.expired.contains(&(dispatch.session_id.clone(), dispatch.sequence));
        if !expired && !refused.contains(&(dispatch.session_id.as_str(), dispatch.sequence)) {
            let text = format!("{} of {} ({}) is lost", dispatch.sequence, dispatch.session_id, dispatch.kind);
            found.push(Violation::new(Rule::Kept, text));
        }
    }
    seen
}

/// The group has nothing left to read.
pub(super) fn committed(evidence: &Evidence, found: &mut Vec<Violation>) {
    if evidence.behind > 0 {
        let text = format!("{} records are not committed", evidence.behind);
        found.push(Violation::new(Rule::Committed, text));
    }
}

/// Dead letters: none but refused ones, each of which the topic does not have.
pub(super) fn given_up(evidence: &Evidence, found: &mut Vec<Violation>) {
    for dead in &evidence.dead {
        match DeadLetter::of(&dead.headers) {
            Ok(letter) if letter.class == Class::Refused => {}
            Ok(letter) => {
                let text = format!("{} was given up as {}: {}", of(dead), letter.class.as_str(), letter.error);
                found.push(Violation::new(Rule::Handled, text));
            }
            Err(error) => found.push(Violation::new(Rule::Handled, format!("{} is no dead letter: {error}", of(dead)))),
        }
    }
}

fn class(dead: &Message) -> Option<Class> {
    DeadLetter::of(&dead.headers).ok().map(|letter| letter.class)
}

fn name(record: &Message) -> Option<Name<'_>> {
    Some((record.headers.text("session").ok()?, record.headers.parse("sequence").ok()?))
}

fn of(record: &Message) -> String {
    let place = format!("record {} of partition {}", record.offset, record.partition);
    match name(record) {
        Some((session, sequence)) => format!("{place} ({sequence} of {session})"),
        None => place,
    }
}
