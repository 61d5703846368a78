//! Records of more than fifty kinds that nobody should write, among the events. Each dies as it should, and stops nothing else.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use event_stream::{
    Class, DeadLetter, Message,
    testing::{self, Expected, Poison, Raw},
};
use rand::seq::SliceRandom;

use super::{Dose, Report, scene::Scene};
use crate::{
    Ground,
    check::{Evidence, Rule, Violation},
};

/// Where a record is: partition and offset.
type Place = (i32, i64);

pub(super) async fn run(dose: Dose, seed: u64) -> Report {
    let mut report = Report::new(dose, seed);
    let mut scene = Scene::open(Ground::lay().await, dose, seed).await;
    let mut strewn = HashMap::new();
    let mut struck = Ok(());
    for _ in 0..dose.choose(1, 20) {
        struck = strew(&mut scene, &mut strewn, &mut report).await;
        if struck.is_err() {
            break;
        }
    }
    let mut evidence = scene.evidence(&mut report).await;
    let worker = scene.world.kafka.group.clone().unwrap_or_default();
    report.violations.extend(taken_out(&mut evidence, &strewn, &worker));
    scene.judge(&evidence, struck, Some(1), &mut report).await;
    report
}

/// One of each kind, in a new order.
async fn strew(scene: &mut Scene, strewn: &mut HashMap<Place, Poison>, report: &mut Report) -> Result<(), String> {
    scene.a_while(400).await?;
    let mut kinds = testing::poison(scene.world.seed.application);
    kinds.shuffle(&mut scene.chance);
    let records: Vec<Raw> = kinds.iter().map(|poison| poison.record.clone()).collect();
    let kafka = &scene.world.kafka;
    let sent = testing::send_raw(kafka, &kafka.events_topic, &records).await.map_err(|error| format!("{error:?}"))?;
    report.strikes += sent.len() as u64;
    strewn.extend(sent.iter().map(|acked| (acked.partition, acked.offset)).zip(kinds));
    scene.recovers(Instant::now(), report).await
}

/// Takes the poison and its dead letters out of the evidence; tells what did not die as it should, or died and should not.
fn taken_out(evidence: &mut Evidence, strewn: &HashMap<Place, Poison>, worker: &str) -> Vec<Violation> {
    let mut wrong = Vec::new();
    evidence.records.retain(|record| !strewn.contains_key(&(record.partition, record.offset)));
    let mut died: HashMap<Place, Vec<Class>> = HashMap::new();
    evidence.dead.retain(|dead: &Message| {
        let Ok(letter) = DeadLetter::of(&dead.headers) else { return true };
        let place = (letter.partition, letter.offset);
        let is_poison = strewn.contains_key(&place);
        // The witness, a group of its own, gives up what does not decode, too.
        if is_poison && letter.group.starts_with(worker) {
            died.entry(place).or_default().push(letter.class);
        }
        !is_poison
    });
    let mut told = HashSet::new();
    for (place, poison) in strewn {
        let classes: HashSet<Class> = died.get(place).into_iter().flatten().copied().collect();
        let expected = match poison.expected {
            Expected::Handled => HashSet::new(),
            Expected::Dead(class) => HashSet::from([class]),
        };
        if classes != expected && told.insert(poison.name) {
            let text = format!("{}: {:?} where {:?} was due", poison.name, classes, poison.expected);
            wrong.push(Violation { rule: Rule::Handled, text });
        }
    }
    wrong
}
