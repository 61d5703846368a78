//! One IDENTIFY per bucket and interval, over all processes.

use std::{
    pin::pin,
    sync::{Arc, Condvar, Mutex, mpsc},
    time::{Duration, Instant},
};

use futures_util::poll;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sharder::identify::{Asked, Slots};
use tokio::time::timeout;

use super::fleet::{Fleet, INTERVAL, SETTINGS, timed};
use crate::harness::PATIENCE;

#[tokio::test]
async fn processes_that_start_at_once_identify_one_after_another_in_each_bucket() {
    for (processes, buckets, shards) in [(3, 1, 6), (2, 2, 8), (4, 4, 16)] {
        let fleet = Fleet::with_buckets(buckets).await;
        let mut starting = tokio::task::JoinSet::new();
        for process in 0..processes {
            let own: Vec<_> = (0..shards).filter(|shard| shard % processes == process).collect();
            let process = fleet.process();
            starting.spawn(async move { process.connect(own, shards).await });
        }
        let refused: u32 = timeout(PATIENCE, starting.join_all()).await.unwrap().into_iter().sum();
        assert_eq!(refused, 0);
        fleet.finish(shards);

        // Shards 0 to n - 1 of n buckets come before n to 2n - 1, and so on.
        let identifies = fleet.identifies();
        for bucket in 0..buckets {
            let in_bucket = identifies.iter().filter(|identify| identify.shard[0] % buckets == bucket);
            let in_bucket: Vec<_> = in_bucket.collect();
            assert!(in_bucket.is_sorted_by_key(|identify| identify.shard[0]), "{in_bucket:#?}");
            for pair in in_bucket.windows(2) {
                assert!(pair[1].at - pair[0].at >= INTERVAL, "{pair:#?}");
            }
        }
    }
}

#[tokio::test]
async fn processes_that_pause_at_any_moment_never_identify_too_early() {
    for seed in 0..4 {
        let fleet = Fleet::with_buckets(1).await;
        let (shards, others) = (6, Others::new(3));
        let processes = (0..3).map(|number| {
            let (process, others) = (fleet.process(), Arc::clone(&others));
            let random = Mutex::new(StdRng::seed_from_u64(seed * 10 + u64::from(number)));
            let woken = {
                let others = Arc::clone(&others);
                move || {
                    let mut random = random.lock().unwrap();
                    let stands = random.random_bool(0.1).then(|| random.random_range(1..60));
                    others.woken(stands);
                }
            };
            paused_when(woken, async move {
                let refused = process.connect([number, number + 3], shards).await;
                others.done();
                refused
            })
        });
        assert_eq!(futures_util::future::join_all(processes).await, [0, 0, 0], "seed {seed}");
        fleet.finish(shards);
    }
}

/// Processes that go on beside one that stands still. An answer wakes a process, or a time that has come: the end of a slot, too.
struct Others(Mutex<Awake>, Condvar);

struct Awake {
    processes: usize,
    standing: usize,
    times: u64,
}

impl Others {
    fn new(processes: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Awake { processes, standing: 0, times: 0 }), Condvar::new()))
    }

    /// A process was woken. It stands still then until the others were woken so often, or all of them stand.
    fn woken(&self, stands: Option<u64>) {
        let Self(awake, changed) = self;
        let mut awake = awake.lock().unwrap();
        awake.times += 1;
        if let Some(times) = stands {
            awake.standing += 1;
            changed.notify_all();
            let until = awake.times + times;
            awake = changed.wait_while(awake, |awake| awake.times < until && awake.standing < awake.processes).unwrap();
            awake.standing -= 1;
        }
        drop(awake);
        changed.notify_all();
    }

    fn done(&self) {
        let Self(awake, changed) = self;
        awake.lock().unwrap().processes -= 1;
        changed.notify_all();
    }
}

/// On a thread and a runtime of its own, which stands still as a whole.
fn paused<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> impl Future<Output = T> {
    paused_when(|| {}, future)
}

/// The same; `woken` is called whenever something came for which the thread waited, before it looks at it.
fn paused_when<T: Send + 'static>(
    woken: impl Fn() + Send + Sync + 'static,
    future: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = T> {
    let done = tokio::task::spawn_blocking(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().on_thread_unpark(woken).build().unwrap().block_on(future)
    });
    async { timeout(PATIENCE, done).await.unwrap().unwrap() }
}

#[tokio::test]
async fn an_answer_of_redis_that_is_read_late_is_worth_nothing() {
    let fleet = Fleet::with_buckets(1).await;
    let (process, mut holder) = (fleet.process_that_is(true), fleet.holder(0));
    let (answer, answered) = mpsc::channel();
    let (pass, passed) = mpsc::channel();
    let held = tokio::spawn(paused(async move {
        let mut permit = pin!(process.line.permit(0));
        loop {
            assert!(poll!(permit.as_mut()).is_pending(), "Redis has not answered yet");
            // Redis turns to each connection before it comes back to the first: with the second answer here, whatever was asked
            // by now is answered too, and that answer waits.
            if holder() | holder() {
                answer.send(()).unwrap();
                // The lease is over, and somebody else holds the slot.
                break passed.recv().unwrap();
            }
            tokio::task::yield_now().await;
        }
        // The answer is read, and only then looked at.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let (permit, waited) = timed(permit).await;
        permit.unwrap().holds() && waited < SETTINGS.interval
    }));
    tokio::task::spawn_blocking(move || answered.recv().unwrap()).await.unwrap();
    let next = fleet.process().line.permit(1).await.unwrap();
    pass.send(()).unwrap();
    assert!(!held.await.unwrap());
    drop(next);
}

#[tokio::test]
async fn a_shard_that_comes_to_read_its_leave_late_waits_again() {
    let fleet = Fleet::with_buckets(1).await;
    let (slow, mut holder) = (fleet.process_that_is(true), fleet.holder(0));
    let (overtake, overtaken) = mpsc::channel();
    let slow = tokio::spawn(paused(async move {
        let gate = slow.line.gate(0);
        let mut shard = slow.shard(0, 2, &gate);
        // Until it has leave, and does not know it yet.
        loop {
            let _hello = poll!(pin!(gate.next(&mut shard)));
            if holder() {
                break;
            }
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        overtaken.recv().unwrap();
        slow.ready(shard, &gate).await
    }));
    assert_eq!(fleet.process().connect([1], 2).await, 0);
    overtake.send(()).unwrap();
    assert_eq!(slow.await.unwrap(), 0);
    fleet.finish(2);
}

#[tokio::test]
async fn who_was_away_for_longer_than_the_lease_has_lost_the_slot() {
    let fleet = Fleet::with_buckets(1).await;
    let (first, second) = (fleet.process(), fleet.process());
    let permit = first.line.permit(0).await.unwrap();
    assert!(permit.holds());
    // The first one says no more: neither that it was used, nor that it was not.
    let (next, waited) = timed(second.line.permit(1)).await;
    assert!(!permit.holds());
    assert!(waited >= SETTINGS.interval + SETTINGS.margin, "{waited:?}");
    assert!(next.unwrap().holds());
}

#[tokio::test]
async fn the_next_slot_counts_from_the_use_and_neither_from_the_grant_nor_from_the_lease() {
    let mut fleet = Fleet::with_buckets(2).await;
    fleet.settings.lease = Duration::from_secs(8);
    let (first, second) = (fleet.process_that_is(true), fleet.process());
    let permit = first.line.permit(0).await.unwrap();
    let waiting = tokio::spawn(async move { second.line.permit(2).await.unwrap() });
    while fleet.waiting(0).await == 0 {}
    // In the other bucket one slot follows another: so long ago is the grant by now.
    let other = first.line.permit(1).await.unwrap();
    first.line.note(&other);
    first.line.used(other).await;
    let other = first.line.permit(3).await.unwrap();
    first.line.unused(other).await;
    first.line.note(&permit);
    let used = Instant::now();
    first.line.used(permit).await;
    waiting.await.unwrap();
    let waited = used.elapsed();
    assert!(waited >= SETTINGS.interval + SETTINGS.margin, "{waited:?}");
    assert!(waited < fleet.settings.lease / 2, "{waited:?}");
}

#[tokio::test]
async fn a_slot_that_is_given_back_is_free_at_once() {
    let mut fleet = Fleet::with_buckets(1).await;
    (fleet.settings.interval, fleet.settings.lease) = (PATIENCE * 2, PATIENCE * 2);
    let (first, second) = (fleet.process_that_is(true), fleet.process());
    let permit = first.line.permit(0).await.unwrap();
    first.line.unused(permit).await;
    timeout(PATIENCE, second.line.permit(1)).await.expect("the slot is free").unwrap();
}

#[tokio::test]
async fn first_come_is_first_served_and_who_died_in_the_queue_is_passed_over() {
    let mut fleet = Fleet::with_buckets(1).await;
    // A machine that stands still for a while lets nobody in before all have come.
    let settings = &mut fleet.settings;
    (settings.interval, settings.margin) = (Duration::from_millis(700), Duration::from_millis(300));
    settings.lease = Duration::from_secs(2);
    let counts_as_one = settings.interval + settings.margin;
    // Somebody who identifies again and again while the others come.
    let slots = Slots::new(fleet.pool(), fleet.bot, fleet.settings);
    let asked = Asked { shard: 9, buckets: 1, spread: Duration::ZERO, untouched: true };
    let claim = slots.ask(asked).await.unwrap().unwrap();
    let (order, mut served) = tokio::sync::mpsc::unbounded_channel();
    let mut waiting = Vec::new();
    // Later ones have lower shards, so that it is not the number which decides.
    for shard in [7, 5, 3, 1] {
        let (process, order) = (fleet.process(), order.clone());
        waiting.push(tokio::spawn(async move {
            let permit = process.line.permit(shard).await.unwrap();
            order.send(shard).unwrap();
            process.line.note(&permit);
            process.line.used(permit).await;
        }));
        // Those who come within one interval count as one; the others come in the next.
        let mut until = Instant::now() + counts_as_one;
        while Instant::now() < until {
            if fleet.waiting(0).await < waiting.len() {
                until = Instant::now() + counts_as_one;
            }
            let _ = slots.used(&claim).await;
        }
    }
    waiting[1].abort();
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(timeout(PATIENCE, served.recv()).await.unwrap().unwrap());
    }
    assert_eq!(all, [7, 3, 1]);
}

#[tokio::test]
async fn where_processes_count_the_buckets_differently_all_of_them_are_one() {
    let fleet = Fleet::with_buckets(1).await;
    let slots = Slots::new(fleet.pool(), fleet.bot, fleet.settings);
    let asked = |shard, buckets| Asked { shard, buckets, spread: Duration::ZERO, untouched: true };
    let one = slots.ask(asked(0, 4)).await.unwrap().unwrap();
    slots.used(&one).await.unwrap();
    assert!(slots.ask(asked(1, 4)).await.unwrap().is_ok(), "another bucket is free");
    let wait = slots.ask(asked(3, 2)).await.unwrap().unwrap_err();
    assert!(wait > SETTINGS.lease, "{wait:?}");
}
