//! `whitelabel list`.
#![expect(clippy::print_stderr, reason = "what cannot be listed is told to whoever asked for the list")]

use std::{io::Write, num::NonZeroU32};

use anyhow::ensure;
use database::{Database, Unreadable, WhitelabelRow};
use model::{NoticeState, WhitelabelBot};
use serde_json::json;
use time::format_description::well_known::Rfc3339;

/// Prints a line for each bot, and no token.
pub(super) async fn list(db: &Database, as_json: bool) -> anyhow::Result<()> {
    let (mut rows, mut unreadable) = (Vec::new(), 0);
    for row in db.whitelabel_bots().list_part(0, NonZeroU32::MIN).await? {
        match row {
            Ok(row) => rows.push(row),
            Err(Unreadable { error, .. }) => {
                unreadable += 1;
                eprintln!("standalone whitelabel: {error}");
            }
        }
    }
    write(&rows, as_json)?;
    ensure!(unreadable == 0, "{unreadable} rows cannot be read, and their bots stay as they are");
    Ok(())
}

fn write(rows: &[WhitelabelRow], as_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        for row in rows {
            writeln!(out, "{}", json(&row.bot, row.token.key()))?;
        }
        return Ok(());
    }
    writeln!(out, "{:<20} {:<20} {:<9} {:<4} {:<24} WHAT IS KNOWN", "BOT", "OWNER", "STATE", "KEY", "PRESENCE")?;
    for row in rows {
        let WhitelabelBot { bot, owner, presence, .. } = &row.bot;
        let presence = presence.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let key = row.token.key().map_or_else(|| "?".to_owned(), |key| key.to_string());
        let known = known(&row.bot);
        let (bot, owner) = (bot.to_string(), owner.to_string());
        writeln!(out, "{bot:<20} {owner:<20} {:<9} {key:<4} {presence:<24} {known}", state(&row.bot))?;
    }
    Ok(())
}

fn state(bot: &WhitelabelBot) -> &'static str {
    match (bot.enabled, &bot.refusal) {
        (false, _) => "disabled",
        (true, Some(_)) => "refused",
        (true, None) => "enabled",
    }
}

fn known(bot: &WhitelabelBot) -> String {
    let content = if bot.message_content { "" } else { "without message content; " };
    let Some(refusal) = &bot.refusal else { return format!("{content}nothing against it") };
    let notice = match refusal.notice {
        NoticeState::Due => "its owner is to be told".to_owned(),
        NoticeState::Told(at) => format!("its owner was told at {}", instant(at)),
        NoticeState::Undeliverable => "its owner takes no direct messages".to_owned(),
    };
    format!("{content}refused with {} at {}: {}; {notice}", refusal.code, instant(refusal.at), refusal.reason)
}

fn json(bot: &WhitelabelBot, key: Option<u32>) -> serde_json::Value {
    let refusal = bot.refusal.as_ref().map(|refusal| {
        let told = if let NoticeState::Told(at) = refusal.notice { Some(instant(at)) } else { None };
        json!({
            "code": refusal.code, "reason": refusal.reason, "at": instant(refusal.at), "owner_told_at": told,
            "undeliverable": refusal.notice == NoticeState::Undeliverable,
        })
    });
    json!({
        "bot": bot.bot, "owner": bot.owner, "state": state(bot), "presence": bot.presence.as_ref().map(ToString::to_string),
        "message_content": bot.message_content, "token_version": bot.token_version, "version": bot.version, "key": key,
        "refusal": refusal, "added_at": instant(bot.created_at),
    })
}

fn instant(at: time::OffsetDateTime) -> String {
    let second = at.replace_nanosecond(0).unwrap_or(at);
    second.format(&Rfc3339).unwrap_or_default()
}
