//! Dead letters are looked at and replayed.

use std::{collections::BTreeSet, future::ready, ops::ControlFlow};

use event_stream::{
    Bounds, Buried, Class, Failure, GatewayEvents, KafkaConfig, LetterId, Message, Replaying, Selection, Spared, Told,
    dead_letters_of, ensure_topics, replay, testing, visit_dead_letters,
};

use crate::support::{Kafka, Log, event, id};

impl Kafka {
    fn graves(&self) -> String {
        dead_letters_of::<GatewayEvents>(&self.config)
    }

    async fn buried(&self, selection: &Selection) -> Vec<Buried> {
        let keep = |all: &mut Vec<Buried>, buried| {
            all.push(buried);
            ControlFlow::Continue(())
        };
        visit_dead_letters(&self.config, &self.graves(), selection, Vec::new(), keep).await.unwrap()
    }

    async fn replay(&self, selection: &Selection, replaying: Replaying) -> Vec<Told> {
        let mut told = Vec::new();
        let tell = |one| told.push(one);
        replay(&self.config, &self.producer, &self.graves(), selection, replaying, tell).await.unwrap();
        told
    }

    fn letter(&self, offset: i64) -> LetterId {
        LetterId { topic: self.graves(), partition: 0, offset }
    }

    async fn events(&self) -> Vec<Message> {
        testing::read_raw(&self.config, &self.config.events_topic).await.unwrap()
    }

    /// Hands the events to a handler that gives each up, until so many are dead.
    async fn let_die(&self, how_many: usize) {
        let log = Log::new();
        let seen = log.clone();
        let consumer = self
            .consume(Bounds::default(), 4, move |event, _| {
                seen.push(id(&event));
                ready(Err(Failure::discard(std::io::Error::other("no such guild"))))
            })
            .await;
        log.wait(|entries| entries.len() == how_many).await;
        consumer.stop().await;
    }
}

fn offsets(buried: &[Buried]) -> Vec<i64> {
    buried.iter().map(|buried| buried.id.offset).collect()
}

/// Key, payload and headers.
type Parts<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, Vec<(&'a str, Option<&'a [u8]>)>);

/// All that a record is, but for the header that tells that it was replayed.
fn as_it_was(message: &Message) -> Parts<'_> {
    let headers = message.headers.iter().filter(|(name, _)| *name != "replayed-from").collect();
    (message.key.as_deref(), message.payload.as_deref(), headers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_record_is_the_one_that_died_and_is_handled() {
    let kafka = Kafka::with_partitions(3).await;
    kafka.send((1..=9).map(|n| event(1 + n % 3, n))).await;
    kafka.let_die(9).await;
    let died = kafka.events().await;

    let told = kafka.replay(&Selection::default(), Replaying::default()).await;
    assert_eq!(told.len(), 9);
    let all = kafka.events().await;
    for replayed in all.iter().filter(|message| message.headers.get("replayed-from").is_some()) {
        let letter: LetterId = replayed.headers.text("replayed-from").unwrap().parse().unwrap();
        assert!(told.contains(&Told::Replayed(letter)));
        let first = died.iter().find(|message| as_it_was(message) == as_it_was(replayed));
        assert_eq!(first.expect("the record that died").partition, replayed.partition);
        assert!(replayed.headers.iter().all(|(name, _)| !name.starts_with("dead-")), "{:?}", replayed.headers);
    }
    assert_eq!(all.len(), 18);

    let log = Log::new();
    let seen = log.clone();
    let consumer = kafka
        .consume(Bounds::default(), 4, move |event, _| {
            seen.push(id(&event));
            ready(Ok(()))
        })
        .await;
    let handled = log.wait(|entries| entries.len() == 9).await;
    consumer.stop().await;
    for (guild, sequences) in crate::order::by_guild(&handled) {
        assert!(sequences.is_sorted(), "guild {guild}: {sequences:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_replayed_is_not_replayed_again_and_what_dies_again_is() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send([event(1, 1), event(1, 2)]).await;
    kafka.let_die(2).await;
    let everything = Selection::default();
    let (first, second) = (kafka.letter(0), kafka.letter(1));
    let one = Selection { ids: Some(BTreeSet::from([second.clone()])), ..Selection::default() };
    assert_eq!(kafka.replay(&one, Replaying::default()).await, [Told::Replayed(second.clone())]);

    // The other one, and only it; then none.
    let told = kafka.replay(&everything, Replaying::default()).await;
    assert!(told.contains(&Told::Replayed(first.clone())), "{told:?}");
    assert!(told.contains(&Told::Spared(second.clone(), Spared::Before)), "{told:?}");
    let told = kafka.replay(&everything, Replaying::default()).await;
    let before = [first, second.clone()].map(|id| Told::Spared(id, Spared::Before));
    assert_eq!(told, before);
    assert_eq!(kafka.events().await.len(), 4);

    // Both die once more: letters of their own, that wait.
    kafka.let_die(2).await;
    let waiting: Vec<_> = kafka.buried(&everything).await.into_iter().filter(|buried| !buried.replayed).collect();
    assert_eq!(waiting.len(), 2);
    for buried in &waiting {
        assert_eq!(buried.message.headers.iter().filter(|(name, _)| *name == "replayed-from").count(), 1);
    }
    kafka.replay(&everything, Replaying::default()).await;
    let last = kafka.events().await.pop().unwrap();
    let froms: Vec<_> = last.headers.iter().filter(|(name, _)| *name == "replayed-from").collect();
    assert_eq!(froms, [("replayed-from", Some(waiting[1].id.to_string().as_bytes()))]);

    let again = Replaying { again: true, ..Replaying::default() };
    assert_eq!(kafka.replay(&one, again).await, [Told::Replayed(second)]);
    assert_eq!(kafka.events().await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_letter_is_known_in_whichever_partition_it_lies() {
    // The topic of dead letters was made by somebody else, with more than one partition.
    let config = testing::config();
    let made_by_hand = KafkaConfig { events_topic: dead_letters_of::<GatewayEvents>(&config), partitions: 6, ..config };
    ensure_topics(&made_by_hand).await.unwrap();
    let config = KafkaConfig { events_topic: config.events_topic, ..made_by_hand };
    ensure_topics(&config).await.unwrap();
    let kafka = Kafka { producer: testing::producer(&config).await.unwrap(), config };
    kafka.send((1..=12).map(|guild| event(guild, guild))).await;
    kafka.let_die(12).await;
    let letters: Vec<_> = kafka.buried(&Selection::default()).await.into_iter().map(|buried| buried.id).collect();
    let partitions: BTreeSet<_> = letters.iter().map(|letter| letter.partition).collect();
    assert!(partitions.len() > 2, "{letters:?}");

    for letter in &letters {
        let one = Selection { ids: Some(BTreeSet::from([letter.clone()])), ..Selection::default() };
        assert_eq!(kafka.replay(&one, Replaying::default()).await, [Told::Replayed(letter.clone())]);
        assert_eq!(kafka.replay(&one, Replaying::default()).await, [Told::Spared(letter.clone(), Spared::Before)]);
    }
    assert_eq!(kafka.events().await.len(), 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_writes_nothing() {
    let kafka = Kafka::with_partitions(1).await;
    kafka.send([event(1, 1)]).await;
    kafka.let_die(1).await;
    let dry = Replaying { dry_run: true, ..Replaying::default() };
    for _ in 0..2 {
        assert_eq!(kafka.replay(&Selection::default(), dry).await, [Told::Replayed(kafka.letter(0))]);
    }
    assert_eq!(kafka.events().await.len(), 1);
    assert_eq!(kafka.dead().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_replayed_is_named_and_the_rest_goes_on() {
    let kafka = Kafka::with_partitions(1).await;
    let graves = kafka.graves();
    let too_large = event_stream::Error::QueueFull;
    kafka.producer.enqueue_refused::<GatewayEvents>(&event(1, 1), &too_large).unwrap().await.unwrap();
    // Written there by somebody else: one without marks, one whose origin is not where these letters come from.
    testing::send_raw(&kafka.config, &graves, &[testing::Raw::new(b"k", b"{}")]).await.unwrap();
    let marks = [
        ("dead-topic", "other"),
        ("dead-partition", "0"),
        ("dead-offset", "0"),
        ("dead-group", "g"),
        ("dead-attempts", "1"),
        ("dead-class", "discarded"),
        ("dead-error", "e"),
    ];
    let headers = marks.map(|(name, value)| (name.into(), Some(value.as_bytes().to_vec()))).into();
    let stray = testing::Raw { headers, ..testing::Raw::new(b"k", b"{}") };
    testing::send_raw(&kafka.config, &graves, &[stray]).await.unwrap();
    kafka.send([event(1, 3)]).await;
    kafka.let_die(1).await;

    let told = kafka.replay(&Selection::default(), Replaying::default()).await;
    let [refused, unmarked, foreign, good] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*refused, Told::Spared(kafka.letter(0), Spared::Refused));
    assert!(matches!(unmarked, Told::Spared(_, Spared::NoLetter(why)) if why.contains("dead-")), "{unmarked:?}");
    assert_eq!(*foreign, Told::Spared(kafka.letter(2), Spared::Foreign("other".to_owned())));
    assert_eq!(*good, Told::Replayed(kafka.letter(3)));
    assert_eq!(kafka.events().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_selected_by_class_time_and_id() {
    let kafka = Kafka::with_partitions(1).await;
    kafka
        .producer
        .enqueue_refused::<GatewayEvents>(&event(1, 1), &event_stream::Error::QueueFull)
        .unwrap()
        .await
        .unwrap();
    kafka.send([event(1, 2), event(1, 3)]).await;
    kafka.let_die(2).await;
    let all = kafka.buried(&Selection::default()).await;
    assert_eq!(offsets(&all), [0, 1, 2]);

    let discarded = Selection { class: Some(Class::Discarded), ..Selection::default() };
    assert_eq!(offsets(&kafka.buried(&discarded).await), [1, 2]);
    let since = Selection { since: all[1].at, ..Selection::default() };
    let young = kafka.buried(&since).await;
    assert!(!offsets(&young).contains(&0) && offsets(&young).contains(&1), "{:?}", offsets(&young));
    let later = all[2].at.unwrap() + time::Duration::hours(1);
    assert!(kafka.buried(&Selection { since: Some(later), ..Selection::default() }).await.is_empty());

    // The mark of a letter that lies behind those that are asked for is found all the same.
    kafka.replay(&discarded, Replaying::default()).await;
    let ids = BTreeSet::from([kafka.letter(2), kafka.letter(700)]);
    let found = kafka.buried(&Selection { ids: Some(ids), ..Selection::default() }).await;
    assert_eq!((offsets(&found), found[0].replayed), (vec![2], true));
}
