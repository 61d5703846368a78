//! `dead-letters list`.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Write,
    ops::ControlFlow,
};

use event_stream::{Buried, KafkaConfig, Selection, visit_dead_letters};
use serde::Serialize;
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::text;

/// As much of an error is shown in the table.
const ERROR: usize = 60;
/// As much of what somebody else may have written.
const FIELD: usize = 40;

const SECOND: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// How letters are listed.
pub(super) struct Listing {
    /// The newest of each topic, at most so many.
    pub(super) limit: usize,
    /// Also those that were replayed.
    pub(super) replayed: bool,
    /// For programs.
    pub(super) json: bool,
}

/// Prints a line for each letter; never a value or a token.
pub(super) async fn list(
    config: &KafkaConfig,
    topics: &[String],
    selection: &Selection,
    listing: Listing,
) -> anyhow::Result<()> {
    let mut seen = Seen::default();
    let mut rows = Vec::new();
    for topic in topics {
        let Listing { limit, replayed, .. } = listing;
        let note = move |seen: &mut Seen, buried: Buried| {
            seen.note(&buried, limit, replayed);
            ControlFlow::Continue(())
        };
        seen = visit_dead_letters(config, topic, selection, seen, note).await?;
        rows.extend(seen.newest.drain(..));
    }
    // Two topics may both have some.
    rows.sort_by_key(|row: &Row| row.died_at);
    let newest = &rows[rows.len().saturating_sub(listing.limit)..];
    let mut out = std::io::stdout().lock();
    if listing.json {
        for row in newest {
            writeln!(out, "{}", serde_json::to_string(row)?)?;
        }
        writeln!(out, "{}", serde_json::to_string(&Counts { count: &seen.counts })?)?;
    } else {
        write_table(&mut out, newest)?;
        write_counts(&mut out, newest.len(), &seen.counts)?;
    }
    Ok(out.flush()?)
}

/// What a visit comes to: bounded, however many letters there are.
#[derive(Default)]
struct Seen {
    newest: VecDeque<Row>,
    counts: BTreeMap<&'static str, Count>,
}

/// How many of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Count {
    waiting: u64,
    replayed: u64,
}

#[derive(Serialize)]
struct Counts<'a> {
    count: &'a BTreeMap<&'static str, Count>,
}

impl Seen {
    fn note(&mut self, buried: &Buried, limit: usize, replayed: bool) {
        let class = buried.letter.as_ref().map_or("unreadable", |letter| letter.class.as_str());
        let count = self.counts.entry(class).or_default();
        *if buried.replayed { &mut count.replayed } else { &mut count.waiting } += 1;
        if limit == 0 || (buried.replayed && !replayed) {
            return;
        }
        if self.newest.len() == limit {
            self.newest.pop_front();
        }
        self.newest.push_back(Row::of(buried, class));
    }
}

/// What is told of a letter.
#[derive(Serialize)]
struct Row {
    id: String,
    #[serde(with = "time::serde::rfc3339::option")]
    died_at: Option<OffsetDateTime>,
    topic: Option<String>,
    partition: Option<i32>,
    offset: Option<i64>,
    group: Option<String>,
    attempts: Option<u32>,
    class: &'static str,
    #[serde(rename = "type")]
    kind: Option<String>,
    guild: Option<String>,
    bot: Option<String>,
    error: String,
    /// Bytes of the record that the letter does not have; it cannot be replayed.
    left_out: Option<u64>,
    replayed: bool,
}

impl Row {
    fn of(buried: &Buried, class: &'static str) -> Row {
        let header = |name| buried.message.headers.get(name).map(text::line);
        let letter = buried.letter.as_ref().ok();
        Row {
            id: buried.id.to_string(),
            died_at: buried.at,
            topic: letter.map(|letter| letter.topic.clone()),
            partition: letter.map(|letter| letter.partition),
            offset: letter.map(|letter| letter.offset),
            group: letter.map(|letter| letter.group.clone()),
            attempts: letter.map(|letter| letter.attempts),
            class,
            kind: header("type"),
            guild: header("guild"),
            bot: header("bot"),
            error: match &buried.letter {
                Ok(letter) => letter.error.clone(),
                Err(error) => error.to_string(),
            },
            left_out: letter.and_then(|letter| letter.left_out),
            replayed: buried.replayed,
        }
    }

    fn cells(&self) -> [String; 10] {
        let field = |text: Option<&String>| text.map_or_else(|| "-".to_owned(), |text| text::cut(text, FIELD));
        let origin = match (&self.topic, self.partition, self.offset) {
            (Some(topic), Some(partition), Some(offset)) if offset >= 0 => {
                text::cut(&format!("{topic}/{partition}/{offset}"), 2 * FIELD)
            }
            (topic, ..) => field(topic.as_ref()),
        };
        let class = match (self.left_out, self.replayed) {
            (Some(_), _) => format!("{} (cut, no replay)", self.class),
            (None, true) => format!("{} (replayed)", self.class),
            (None, false) => self.class.to_owned(),
        };
        [
            self.id.clone(),
            when(self.died_at),
            origin,
            field(self.group.as_ref()),
            self.attempts.map_or_else(|| "-".to_owned(), |attempts| attempts.to_string()),
            class,
            field(self.kind.as_ref()),
            field(self.guild.as_ref()),
            field(self.bot.as_ref()),
            text::cut(&self.error, ERROR),
        ]
    }
}

/// A time, to the second.
pub(super) fn when(at: Option<OffsetDateTime>) -> String {
    at.and_then(|at| at.to_offset(time::UtcOffset::UTC).format(SECOND).ok()).unwrap_or_else(|| "-".to_owned())
}

fn write_table(out: &mut impl Write, rows: &[Row]) -> std::io::Result<()> {
    const HEAD: [&str; 10] = ["ID", "DIED", "ORIGIN", "GROUP", "ATTEMPTS", "CLASS", "TYPE", "GUILD", "BOT", "ERROR"];
    if rows.is_empty() {
        return Ok(());
    }
    let lines: Vec<[String; 10]> =
        std::iter::once(HEAD.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let mut widths = [0; 10];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for line in &lines {
        let padded: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", padded.join("  ").trim_end())?;
    }
    writeln!(out)
}

fn write_counts(out: &mut impl Write, shown: usize, counts: &BTreeMap<&'static str, Count>) -> std::io::Result<()> {
    let waiting: u64 = counts.values().map(|count| count.waiting).sum();
    let replayed: u64 = counts.values().map(|count| count.replayed).sum();
    for (class, Count { waiting, replayed }) in counts {
        writeln!(out, "{class}: {waiting} waiting, {replayed} replayed")?;
    }
    writeln!(out, "{waiting} dead letters wait, {replayed} were replayed; {shown} are shown")
}
