//! How far a follower is, and what that says.

use super::loss::{Cause, Loss};

/// Whether all that a topic had one look ago has been applied.
///
/// A look asks the brokers where the topic ends, every [`FollowBounds::look_every`]. So what is `Current` lacks no record
/// that is older than two looks and their answers; a process that was stopped in between learns of that by its next look.
///
/// [`FollowBounds::look_every`]: crate::FollowBounds::look_every
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not yet, or not any more: why.
    Behind(String),
    /// It has.
    Current,
    /// The brokers did not say where the topic ends: why.
    CutOff(String),
}

/// Positions in each partition: the next offset that is to be reached.
pub(super) struct Progress {
    pub(super) standing: Standing,
    fetched: Vec<i64>,
    handed: Vec<i64>,
    applied: Vec<i64>,
    // What the newest answered look saw.
    ends: Vec<i64>,
    // Whether there was one since the beginning, and since the last one that was not answered.
    looked: bool,
}

/// Where a topic begins and ends; without partitions where there is none of its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) starts: Vec<i64>,
    pub(super) ends: Vec<i64>,
}

impl Progress {
    /// Nothing before these offsets is wanted.
    pub(super) fn new(from: Vec<i64>) -> Progress {
        Progress {
            standing: Standing::Behind("nobody looked yet where the topic ends".to_owned()),
            fetched: from.clone(),
            handed: from.clone(),
            applied: from.clone(),
            ends: from,
            looked: false,
        }
    }

    /// What is fetched so far.
    pub(super) fn fetched(&self) -> Vec<i64> {
        self.fetched.clone()
    }

    /// A record came out of Kafka: the next one, or some are missing.
    pub(super) fn fetch(&mut self, partition: i32, offset: i64) -> Result<(), Loss> {
        match at(&mut self.fetched, partition) {
            Some(next) if *next == offset => {
                *next = offset + 1;
                Ok(())
            }
            Some(next) => {
                let why = format!("partition {partition} goes on with record {offset}, not with {next}");
                Err(Loss::new(if offset > *next { Cause::Retention } else { Cause::Rewound }, why))
            }
            None => Err(Loss::new(Cause::Partitions, format!("there is a record of partition {partition}"))),
        }
    }

    /// A record is handed out.
    pub(super) fn hand_out(&mut self, partition: i32, offset: i64) {
        if let Some(handed) = at(&mut self.handed, partition) {
            *handed = offset + 1;
        }
    }

    /// What was handed out is applied.
    pub(super) fn apply(&mut self) {
        self.applied.clone_from(&self.handed);
        if self.looked && self.is_through() {
            self.standing = Standing::Current;
        }
    }

    /// The brokers answered a look, which was begun when `fetched` was fetched.
    pub(super) fn looked(&mut self, fetched: &[i64], look: Look) -> Result<(), Loss> {
        self.check(fetched, &look)?;
        // By then what the look before saw had to be applied.
        let on_time = self.standing == Standing::Current && self.is_through();
        self.ends = look.ends;
        self.looked = true;
        self.standing = if on_time || self.is_through() {
            Standing::Current
        } else {
            Standing::Behind("not all that the topic had is applied".to_owned())
        };
        Ok(())
    }

    /// The brokers did not answer a look.
    pub(super) fn unanswered(&mut self, why: String) {
        self.looked = false;
        self.standing = Standing::CutOff(why);
    }

    fn is_through(&self) -> bool {
        self.applied.iter().zip(&self.ends).all(|(applied, end)| applied >= end)
    }

    /// An end never moves back, and what was fetched lies between beginning and end, of which each is compared with what was
    /// fetched before or after it was asked for.
    fn check(&self, fetched: &[i64], look: &Look) -> Result<(), Loss> {
        let (before, now) = (self.ends.len(), look.ends.len());
        if now != before {
            return Err(Loss::new(Cause::Partitions, format!("the topic has {now} partitions, and had {before}")));
        }
        for (partition, &end) in look.ends.iter().enumerate() {
            let (known, start) = (self.ends[partition].max(fetched[partition]), look.starts[partition]);
            if end < known {
                let why = format!("partition {partition} ends at {end}, and had records up to {known}");
                return Err(Loss::new(Cause::Rewound, why));
            }
            let next = self.fetched[partition];
            if next < start {
                let why = format!("partition {partition} begins at {start}, and is read up to {next}");
                return Err(Loss::new(Cause::Retention, why));
            }
        }
        Ok(())
    }
}

fn at(positions: &mut [i64], partition: i32) -> Option<&mut i64> {
    positions.get_mut(usize::try_from(partition).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn look(ends: &[i64]) -> Look {
        Look { starts: vec![0; ends.len()], ends: ends.to_vec() }
    }

    impl Progress {
        #[track_caller]
        fn look(&mut self, ends: &[i64]) {
            let fetched = self.fetched();
            self.looked(&fetched, look(ends)).unwrap();
        }

        fn read(&mut self, partition: i32, offsets: std::ops::Range<i64>) {
            for offset in offsets {
                self.fetch(partition, offset).unwrap();
                self.hand_out(partition, offset);
            }
        }

        fn is_behind(&self) -> bool {
            matches!(self.standing, Standing::Behind(_))
        }

        fn is_current(&self) -> bool {
            self.standing == Standing::Current
        }
    }

    #[test]
    fn nobody_is_current_before_a_look() {
        let mut progress = Progress::new(vec![5, 0]);
        assert!(progress.is_behind());
        progress.apply();
        assert!(progress.is_behind());
        progress.look(&[5, 0]);
        assert!(progress.is_current());
    }

    #[test]
    fn what_is_handed_out_is_not_applied_yet() {
        let mut progress = Progress::new(vec![5, 0]);
        progress.look(&[7, 0]);
        progress.read(0, 5..7);
        assert!(progress.is_behind());
        progress.apply();
        assert!(progress.is_current());
    }

    #[test]
    fn current_ends_when_the_look_before_is_not_applied_and_not_earlier() {
        let mut progress = Progress::new(vec![0]);
        progress.look(&[0]);
        progress.look(&[3]);
        assert!(progress.is_current());
        progress.read(0, 0..2);
        progress.apply();
        progress.look(&[4]);
        assert!(progress.is_behind());
        progress.read(0, 2..3);
        progress.apply();
        assert!(progress.is_behind());
        progress.read(0, 3..4);
        progress.apply();
        assert!(progress.is_current());
    }

    #[test]
    fn a_flow_that_is_applied_within_a_look_leaves_it_current() {
        let mut progress = Progress::new(vec![0]);
        progress.look(&[0]);
        for end in 1..20 {
            progress.look(&[end * 10]);
            assert!(progress.is_current());
            progress.read(0, (end - 1) * 10..end * 10);
            progress.apply();
        }
    }

    #[test]
    fn after_a_cut_off_only_a_look_whose_end_is_applied_makes_it_current() {
        let mut progress = Progress::new(vec![0]);
        progress.look(&[2]);
        progress.unanswered("away".to_owned());
        progress.read(0, 0..2);
        progress.apply();
        assert_eq!(progress.standing, Standing::CutOff("away".to_owned()));
        progress.look(&[3]);
        assert!(progress.is_behind());
        progress.read(0, 2..3);
        progress.apply();
        assert!(progress.is_current());
        progress.unanswered("away".to_owned());
        progress.look(&[3]);
        assert!(progress.is_current());
    }

    #[track_caller]
    fn lost(progress: &mut Progress, fetched: &[i64], look: Look, cause: Cause) {
        assert_eq!(progress.looked(fetched, look).map_err(|loss| loss.cause), Err(cause));
    }

    #[test]
    fn a_look_shows_what_is_lost() {
        let mut progress = Progress::new(vec![5, 5]);
        progress.look(&[9, 5]);
        progress.read(0, 5..8);
        // What came while the brokers were asked is no loss.
        progress.read(1, 5..7);
        progress.looked(&[8, 5], look(&[9, 6])).unwrap();
        lost(&mut progress, &[8, 7], look(&[9, 6]), Cause::Rewound);
        lost(&mut progress, &[8, 7], look(&[8, 7]), Cause::Rewound);
        lost(&mut progress, &[8, 7], Look { starts: vec![9, 0], ends: vec![9, 7] }, Cause::Retention);
        lost(&mut progress, &[8, 7], look(&[9, 7, 0]), Cause::Partitions);
        lost(&mut progress, &[8, 7], Look::default(), Cause::Partitions);
        progress.looked(&[8, 7], Look { starts: vec![8, 7], ends: vec![9, 7] }).unwrap();
    }

    #[test]
    fn a_record_that_is_not_the_next_one_shows_what_is_lost() {
        let mut progress = Progress::new(vec![5]);
        let cause = |result: Result<(), Loss>| result.map_err(|loss| loss.cause);
        assert_eq!(cause(progress.fetch(0, 7)), Err(Cause::Retention));
        assert_eq!(cause(progress.fetch(0, 4)), Err(Cause::Rewound));
        assert_eq!(cause(progress.fetch(1, 0)), Err(Cause::Partitions));
        assert_eq!(cause(progress.fetch(0, 5)), Ok(()));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Write(usize),
        Fetch(usize),
        HandOut,
        Apply,
        Look,
        Fail,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_usize..3).prop_map(Step::Write),
            (0_usize..3).prop_map(Step::Fetch),
            Just(Step::HandOut),
            Just(Step::Apply),
            Just(Step::Look),
            Just(Step::Fail),
        ]
    }

    proptest! {
        /// Against a model that knows what the topic had at each look.
        #[test]
        fn whoever_is_current_has_applied_all_that_the_look_before_the_newest_saw(
            steps in proptest::collection::vec(step(), 1..200),
        ) {
            let mut progress = Progress::new(vec![0; 3]);
            let (mut written, mut fetched, mut handed, mut applied) = ([0; 3], [0; 3], [0; 3], [0; 3]);
            // What the answered looks since the last one that was not answered saw.
            let mut looks: Vec<[i64; 3]> = Vec::new();
            for step in steps {
                match step {
                    Step::Write(partition) => written[partition] += 1,
                    Step::Fetch(partition) if fetched[partition] < written[partition] => {
                        progress.fetch(i32::try_from(partition).unwrap(), fetched[partition]).unwrap();
                        fetched[partition] += 1;
                    }
                    Step::Fetch(_) => {}
                    Step::HandOut => {
                        for partition in 0..3_i32 {
                            let index = usize::try_from(partition).unwrap();
                            for offset in handed[index]..fetched[index] {
                                progress.hand_out(partition, offset);
                            }
                        }
                        handed = fetched;
                    }
                    Step::Apply => {
                        progress.apply();
                        applied = handed;
                    }
                    Step::Look => {
                        progress.look(&written);
                        looks.push(written);
                    }
                    Step::Fail => {
                        progress.unanswered(String::new());
                        looks.clear();
                    }
                }
                let has = |look: &[i64; 3]| applied.iter().zip(look).all(|(applied, end)| applied >= end);
                match &progress.standing {
                    // The first look after a failure has to be applied itself.
                    Standing::Current => prop_assert!(has(&looks[looks.len().saturating_sub(2)])),
                    Standing::Behind(_) => prop_assert!(looks.last().is_none_or(|look| !has(look))),
                    Standing::CutOff(_) => prop_assert!(looks.is_empty()),
                }
            }
        }
    }
}
