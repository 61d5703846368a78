use std::time::Duration;

use bytes::Bytes;
use e2e::{
    Ground, Interactions, Witness, World,
    check::{Evidence, Rule},
};
use twilight_model::id::Id;

/// One world with everything in it that the checker looks at; then the evidence is forged, one piece at a time.
#[tokio::test(flavor = "multi_thread")]
async fn the_checker_finds_each_kind_of_damage() {
    let (world, sharder) = World::on_ground(Ground::lay().await, Interactions::ByHttp).await;
    let seed = world.seed;
    let panel = world.set_up().await;
    let channel = world.open(seed.member, &panel).await;
    world.sim.write(|state| {
        let edited = state.say(channel, seed.member, "first thoughts").expect("a message can be sent");
        let deleted = state.say(channel, seed.staff, "a slip").expect("a message can be sent");
        let now = state.now();
        state.update_message(channel, edited, |message| {
            message.content = "second thoughts".into();
            message.edited_at = Some(now);
        });
        state.remove_message(channel, deleted);
    });
    let mut witness = Witness::start(&world.kafka).await.expect("Kafka answers the witness");
    let (evidence, late) = Evidence::after(&world, &mut witness, Duration::from_secs(30)).await;
    assert_eq!(late, []);
    assert_eq!(evidence.violations(Some(1)), []);
    assert_eq!(broken(&evidence, Some(0)), [Rule::Planned]);

    let forge = |what: &str, expected: &[Rule], change: &dyn Fn(&mut Evidence)| {
        let mut forged = evidence.clone();
        change(&mut forged);
        assert_eq!(broken(&forged, Some(1)), expected, "{what}: {:#?}", forged.violations(Some(1)));
    };
    let of = |kind: &'static str| {
        move |evidence: &Evidence| {
            let is = |record: &event_stream::Message| record.headers.text("type") == Ok(kind);
            evidence.records.iter().position(is).expect("a record of this type")
        }
    };
    let (created, updated, deleted) = (of("MESSAGE_CREATE"), of("MESSAGE_UPDATE"), of("MESSAGE_DELETE"));

    forge("a dropped record", &[Rule::Kept], &|evidence| drop(evidence.records.remove(created(evidence))));
    forge("a swapped order", &[Rule::Ordered], &|evidence| {
        let (one, other) = (updated(evidence), deleted(evidence));
        evidence.records.swap(one, other);
    });
    forge("a record that Discord itself lost", &[], &|evidence| {
        let record = evidence.records.remove(deleted(evidence));
        let name = (record.headers.text("session"), record.headers.parse("sequence"));
        evidence.expired.insert((name.0.unwrap_or_default().to_owned(), name.1.unwrap_or_default()));
        evidence.tickets.iter_mut().flat_map(|filed| &mut filed.messages).for_each(|message| message.deleted_at = None);
    });
    forge("a duplicate", &[], &|evidence| {
        let again = evidence.records[created(evidence)].clone();
        evidence.records.push(again);
    });
    forge("a changed byte", &[Rule::Unchanged], &|evidence| {
        let record = created(evidence);
        let payload = evidence.records[record].payload.as_deref().unwrap_or_default();
        let changed: Vec<u8> = payload.iter().map(|byte| if *byte == b'f' { b'F' } else { *byte }).collect();
        evidence.records[record].payload = Some(Bytes::from(changed));
    });
    forge("a foreign key", &[Rule::Unchanged], &|evidence| {
        let record = created(evidence);
        evidence.records[record].key = Some(Bytes::from_static(b"1"));
    });
    // The last dispatch is the deletion.
    forge("a record that nobody sent", &[Rule::Kept, Rule::Genuine, Rule::Recorded], &|evidence| {
        let dispatch = evidence.dispatches.len() - 1;
        evidence.dispatches[dispatch].sequence += 1;
    });
    forge("an uncommitted offset", &[Rule::Committed], &|evidence| evidence.behind = 1);
    forge("an unplanned IDENTIFY", &[Rule::Planned], &|evidence| {
        evidence.identifies[0].cause = discord_sim::ledger::Cause::Needless;
    });
    forge("a record that was given up", &[Rule::Handled], &|evidence| {
        let dead = evidence.records[created(evidence)].clone();
        evidence.dead.push(dead);
    });
    let ticket = evidence.tickets.iter().position(|filed| filed.ticket.channel == Some(channel)).expect("the ticket");
    forge("a missing message", &[Rule::Recorded], &|evidence| drop(evidence.tickets[ticket].messages.pop()));
    forge("a missing edit", &[Rule::Recorded], &|evidence| {
        let messages = &mut evidence.tickets[ticket].messages;
        let edited = messages.iter_mut().find(|message| message.edited_at.is_some()).expect("the edit");
        edited.content = "first thoughts".to_owned();
    });
    forge("a missing mark of a deletion", &[Rule::Recorded], &|evidence| {
        evidence.tickets[ticket].messages.iter_mut().for_each(|message| message.deleted_at = None);
    });
    forge("a channel without a ticket", &[Rule::Paired], &|evidence| {
        evidence.tickets[ticket].ticket.channel = Some(Id::new(1));
    });
    forge("a ticket without a channel", &[Rule::Paired], &|evidence| evidence.channels.clear());
    forge("a click that took effect twice", &[Rule::Once], &|evidence| {
        let again = evidence.tickets[ticket].events[0].clone();
        evidence.tickets[ticket].events.push(again);
    });
    forge("two tickets of one click", &[Rule::Paired, Rule::Once], &|evidence| {
        let again = evidence.tickets[ticket].clone();
        evidence.tickets.push(again);
    });
    drop(sharder);
    world.finish().await;
}

/// The rules that were broken, each once.
fn broken(evidence: &Evidence, identifies: Option<usize>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = evidence.violations(identifies).into_iter().map(|violation| violation.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}
