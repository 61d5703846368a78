//! `dead-letters show`.

use std::{collections::BTreeSet, io::Write, ops::ControlFlow};

use event_stream::{Buried, KafkaConfig, LetterId, Selection, visit_dead_letters};

use super::{list::when, text};

/// Prints a letter with its headers and its value. `false` where there is none.
pub(super) async fn show(config: &KafkaConfig, id: &LetterId) -> anyhow::Result<bool> {
    let selection = Selection { ids: Some(BTreeSet::from([id.clone()])), ..Selection::default() };
    let keep = |found: &mut Option<Buried>, buried| {
        *found = Some(buried);
        ControlFlow::Break(())
    };
    let Some(buried) = visit_dead_letters(config, &id.topic, &selection, None, keep).await? else {
        writeln!(std::io::stderr(), "standalone dead-letters: there is no dead letter {id}")?;
        return Ok(false);
    };
    let mut out = std::io::stdout().lock();
    write(&mut out, &buried)?;
    out.flush()?;
    Ok(true)
}

fn write(out: &mut impl Write, buried: &Buried) -> std::io::Result<()> {
    let message = &buried.message;
    writeln!(out, "id        {}", buried.id)?;
    writeln!(out, "died      {}", when(buried.at))?;
    match &buried.letter {
        Ok(letter) => {
            let topic = text::line(letter.topic.as_bytes());
            if letter.offset < 0 {
                writeln!(out, "origin    {topic}, where it was never written")?;
            } else {
                writeln!(out, "origin    {topic}/{}/{}", letter.partition, letter.offset)?;
            }
            writeln!(out, "group     {}", text::line(letter.group.as_bytes()))?;
            writeln!(out, "attempts  {}", letter.attempts)?;
            writeln!(out, "class     {}", letter.class.as_str())?;
            writeln!(out, "error     {}", text::line(letter.error.as_bytes()))?;
            if let Some(bytes) = letter.left_out {
                writeln!(out, "left out  {bytes} bytes, which the topic does not take: it cannot be replayed")?;
            }
        }
        Err(error) => writeln!(out, "this is no dead letter: {error}")?,
    }
    writeln!(out, "replayed  {}", if buried.replayed { "yes" } else { "no" })?;
    writeln!(out, "key       {}", message.key.as_deref().map_or_else(|| "none".to_owned(), text::line))?;
    writeln!(out, "headers")?;
    for (name, value) in message.headers.iter().filter(|(name, _)| !name.starts_with("dead-")) {
        let value = value.map_or_else(|| "none".to_owned(), text::line);
        writeln!(out, "  {}: {value}", text::line(name.as_bytes()))?;
    }
    match &message.payload {
        Some(payload) => writeln!(out, "value     {} bytes\n{}", payload.len(), text::value(payload)),
        None => writeln!(out, "value     none"),
    }
}
