//! Looks at dead letters, one after the other: a topic of them may be larger than the memory.

use std::{collections::BTreeSet, ops::ControlFlow};

use time::OffsetDateTime;

use super::{
    id::LetterId,
    letter::{Class, DeadLetter, topic},
    replayed::{Replayed, is_mark},
};
use crate::{
    config::KafkaConfig,
    envelope::{Message, Undecodable},
    error::Error,
    reader::{self, Read, Span},
    topics::{self, Topic},
};

/// A dead letter as it lies in its topic.
#[derive(Clone, Debug)]
pub struct Buried {
    /// Its name.
    pub id: LetterId,
    /// When it was given up.
    pub at: Option<OffsetDateTime>,
    /// Where it came from and why it died, unless somebody else wrote it.
    pub letter: Result<DeadLetter, Undecodable>,
    /// Whether it was replayed since.
    pub replayed: bool,
    /// Key, value and all headers.
    pub message: Message,
}

/// Which dead letters are meant: those to which everything applies that is set.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Given up for this reason.
    pub class: Option<Class>,
    /// Given up then or later.
    pub since: Option<OffsetDateTime>,
    /// One of these.
    pub ids: Option<BTreeSet<LetterId>>,
}

impl Selection {
    fn takes(&self, buried: &Buried) -> bool {
        let class = |class| buried.letter.as_ref().is_ok_and(|letter| letter.class == class);
        self.class.is_none_or(class)
            && self.since.is_none_or(|since| buried.at.is_none_or(|at| at >= since))
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&buried.id))
    }

    /// Only where the letters can be: `--since` of a large topic, or one letter of a million, is found at once.
    async fn span(&self, config: &KafkaConfig, topic: &str) -> Result<Span, Error> {
        let mut span = reader::span(config, topic, self.since).await?;
        if let Some(ids) = &self.ids {
            span.0.retain(|partition, offsets| {
                let here = |id: &&LetterId| id.topic == topic && id.partition == *partition;
                let first = ids.iter().find(here).map_or(offsets.end, |id| id.offset);
                offsets.start = offsets.start.max(first);
                !offsets.is_empty()
            });
        }
        Ok(span)
    }

    /// As much of it as holds letters and not only marks.
    fn letters(&self, topic: &str, mut span: Span) -> Span {
        if let Some(ids) = &self.ids {
            for (partition, offsets) in &mut span.0 {
                let here = |id: &&LetterId| id.topic == topic && id.partition == *partition;
                let last = ids.iter().rfind(here).map_or(offsets.start, |id| id.offset.saturating_add(1));
                offsets.end = offsets.end.min(last);
            }
        }
        span
    }
}

/// The name of the topic that takes the dead letters of topic `T`. Does not compile for a topic that has none.
pub fn dead_letters_of<T: Topic>(config: &KafkaConfig) -> String {
    topics::assert_dead_letters::<T>();
    topic(T::name(config))
}

/// Shows the dead letters that `dead_letters` holds now to `visit`, in the order in which they died, until it breaks off.
///
/// Runs in a thread of its own, where `visit` may block. The topic is read twice: first for the marks of those that were
/// replayed, which lie behind them.
///
/// # Errors
///
/// When the brokers do not answer, or the topic does not exist.
pub async fn visit_dead_letters<S: Send + 'static>(
    config: &KafkaConfig,
    dead_letters: &str,
    selection: &Selection,
    state: S,
    visit: impl Fn(&mut S, Buried) -> ControlFlow<()> + Send + 'static,
) -> Result<S, Error> {
    let span = selection.span(config, dead_letters).await?;
    let mut replayed = Replayed::default();
    for (partition, offsets) in &span.0 {
        replayed.expect(*partition, offsets.clone());
    }
    let note = |replayed: &mut Replayed, read: Read| {
        replayed.read(&read.message);
        ControlFlow::Continue(())
    };
    let replayed = reader::visit(config, dead_letters, span.clone(), replayed, note).await?;

    let wanted = selection.clone();
    let show = move |state: &mut S, read: Read| {
        if is_mark(&read.message) {
            return ControlFlow::Continue(());
        }
        let buried = buried(read, &replayed);
        if wanted.takes(&buried) { visit(state, buried) } else { ControlFlow::Continue(()) }
    };
    reader::visit(config, dead_letters, selection.letters(dead_letters, span), state, show).await
}

fn buried(Read { message, at }: Read, replayed: &Replayed) -> Buried {
    let id = LetterId { topic: message.topic.to_string(), partition: message.partition, offset: message.offset };
    let letter = DeadLetter::of(&message.headers);
    Buried { at, letter, replayed: replayed.has(&id), id, message }
}
