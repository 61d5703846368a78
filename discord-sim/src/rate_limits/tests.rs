use std::time::{Duration, Instant};

use serde_json::{Value, json};
use twilight_model::id::Id;

use super::{limits::Ruling, *};
use crate::{
    ledger::Verdict,
    openapi::Judge,
    state::{Principal, State, Webhook},
};

const MS: Duration = Duration::from_millis(1);
const MESSAGES: &str = "/channels/5/messages";

/// Limits with a clock that is moved by hand.
struct Desk {
    limits: RateLimits,
    state: State,
    bot: u64,
    start: Instant,
    now: Duration,
}

impl Desk {
    fn new(mode: Mode) -> Self {
        let mut limits = RateLimits::default();
        limits.mode = mode;
        Self { limits, state: State::default(), bot: 9, start: Instant::now(), now: Duration::ZERO }
    }

    fn at(&mut self, millis: u32) -> &mut Self {
        self.now = MS * millis;
        self
    }

    fn place(&self, method: &str, path: &str, json: &Value) -> Option<Place> {
        let template = Judge::shared().template(&method.parse().unwrap(), path);
        let principal = Some(Principal::Bot(Id::new(self.bot)));
        Place::of(&self.state, principal, method, template, path, Some(json))
    }

    fn send_json(&mut self, method: &str, path: &str, json: &Value) -> Ruling {
        let (place, now) = (self.place(method, path, json), self.start + self.now);
        let ruling = self.limits.arrive(place.as_ref(), now);
        let status = if ruling.refusal.is_some() { 429 } else { 200 };
        assert_eq!(self.limits.answered(place.as_ref(), status, ruling.refusal, now), None);
        ruling
    }

    fn send(&mut self, method: &str, path: &str) -> Ruling {
        self.send_json(method, path, &json!({}))
    }

    /// Somebody else than the limits refuses a request.
    fn tell(&mut self, method: &str, path: &str, refusal: Refusal, closes: bool) {
        let place = self.place(method, path, &json!({}));
        self.limits.tell(place.as_ref(), refusal, closes, self.start + self.now);
    }

    /// The limit of a bot over its messages in channel 5 is used up.
    fn exhausted(mode: Mode) -> Self {
        let mut desk = Self::new(mode);
        for _ in 0..5 {
            desk.send("POST", MESSAGES).passes();
        }
        desk
    }
}

impl Ruling {
    #[track_caller]
    fn passes(&self) -> u32 {
        assert_eq!((self.refusal, self.verdict, &self.violation), (None, None, &None));
        self.shown.as_ref().map_or(u32::MAX, |shown| shown.standing.remaining)
    }

    /// What it shows of its bucket.
    #[track_caller]
    fn is_limited(&self, scope: Scope, wait: u32) -> Option<u32> {
        assert_eq!(self.refusal, Some(Refusal::Limited(scope, MS * wait)));
        assert_eq!((self.verdict, &self.violation), (Some(Verdict::Limited(scope)), &None));
        self.shown.as_ref().map(|shown| shown.standing.remaining)
    }

    #[track_caller]
    fn is_early(&self, why: &str) {
        assert_eq!(self.verdict, Some(Verdict::Early));
        assert!(self.violation.as_ref().unwrap().contains(why), "{:?}", self.violation);
    }
}

#[test]
fn a_bucket_that_is_used_up_refuses_until_its_period_ends() {
    let mut desk = Desk::new(Mode::Real);
    let left: Vec<_> = (0..5).map(|number| desk.at(number * 100).send("POST", MESSAGES).passes()).collect();
    assert_eq!(left, [4, 3, 2, 1, 0]);
    assert_eq!(desk.at(1000).send("POST", MESSAGES).is_limited(Scope::User, 4000), Some(0));
    desk.send("POST", "/channels/6/messages").passes();
    desk.send("GET", MESSAGES).passes();
    desk.bot = 10;
    desk.send("POST", MESSAGES).passes();
    desk.bot = 9;
    assert_eq!(desk.at(5000).send("POST", MESSAGES).passes(), 4);
}

#[test]
fn routes_that_share_a_hash_share_their_bucket() {
    let mut desk = Desk::new(Mode::Real);
    let (put, delete) =
        (desk.send("PUT", "/channels/5/permissions/1"), desk.send("DELETE", "/channels/5/permissions/2"));
    assert_eq!((put.passes(), delete.passes()), (9, 8));
    assert_eq!(put.shown.unwrap().hash, delete.shown.unwrap().hash);
}

#[test]
fn a_third_rename_is_refused_while_its_bucket_has_requests_left() {
    let (mut desk, name, topic) = (Desk::new(Mode::Real), json!({ "name": "x" }), json!({ "topic": "x" }));
    desk.send_json("PATCH", "/channels/5", &name).passes();
    desk.at(60_000).send_json("PATCH", "/channels/5", &name).passes();
    let third = desk.at(100_000).send_json("PATCH", "/channels/5", &name);
    assert_eq!(third.is_limited(Scope::Inner, 500_000), Some(9));
    assert_eq!(third.refusal.unwrap().retry_after(), 500);
    // The topic has its own, what is refused counts against the bucket, and a channel is not another one.
    assert_eq!(desk.send_json("PATCH", "/channels/5", &topic).passes(), 8);
    assert_eq!(desk.send_json("PATCH", "/channels/5", &json!({ "nsfw": true })).passes(), 7);
    desk.send_json("PATCH", "/channels/6", &name).passes();
    // One of both is refused for the name and does not count for the topic.
    let both = json!({ "name": "x", "topic": "x" });
    desk.send_json("PATCH", "/channels/5", &both).is_limited(Scope::Inner, 500_000);
    desk.send_json("PATCH", "/channels/5", &topic).passes();
    desk.send_json("PATCH", "/channels/5", &topic).is_limited(Scope::Inner, 600_000);
    // Now it is the topic that it waits for, and not the name.
    desk.at(600_000).send_json("PATCH", "/channels/5", &name).passes();
    desk.send_json("PATCH", "/channels/5", &topic).is_early("a limit within its route");
}

#[test]
fn all_webhooks_of_a_channel_share_what_they_may_post() {
    let mut desk = Desk::new(Mode::Real);
    for id in [1, 2, 3] {
        let channel_id = Id::new(if id == 3 { 6 } else { 5 });
        let (id, token, name) = (Id::new(id), String::new(), String::new());
        let (guild_id, user_id) = (Id::new(7), Id::new(8));
        let webhook = Webhook { id, token, channel_id, guild_id, name, application_id: None, user_id };
        desk.state.webhooks.insert(id, webhook);
    }
    for number in 0..30 {
        desk.at(number * 1000).send("POST", if number % 2 == 0 { "/webhooks/1/a" } else { "/webhooks/2/b" }).passes();
    }
    assert_eq!(desk.at(30_000).send("POST", "/webhooks/1/a").is_limited(Scope::Shared, 30_000), Some(4));
    desk.send("POST", "/webhooks/3/c").passes();
    // Those of interactions are not in a channel.
    desk.send("POST", "/webhooks/99/token").passes();
}

#[test]
fn one_too_many_in_a_second_is_a_violation() {
    let mut desk = Desk::new(Mode::Real);
    desk.limits.global = 3;
    for millis in [0, 400, 800] {
        desk.at(millis).send("GET", "/users/@me").passes();
    }
    let over = desk.at(900).send("GET", MESSAGES);
    assert_eq!(
        (over.verdict, over.refusal),
        (Some(Verdict::OverGlobal), Some(Refusal::Limited(Scope::Global, 100 * MS)))
    );
    assert!(over.violation.unwrap().contains("GET /channels/{channel_id}/messages of bot 9 is one of more than 3"));
    assert_eq!(over.shown, None);
    let another = desk.send("GET", MESSAGES);
    assert_eq!((another.verdict, another.violation), (Some(Verdict::OverGlobal), None), "told once");
    desk.send("POST", "/interactions/1/t/callback").passes();
    desk.send("POST", "/webhooks/1/t").passes();
    desk.bot = 10;
    desk.send("GET", MESSAGES).passes();
    desk.bot = 9;
    desk.at(1000).send("GET", MESSAGES).passes();
}

#[test]
fn who_comes_back_early_is_excused_while_the_answer_may_be_on_its_way_and_then_not() {
    let mut desk = Desk::exhausted(Mode::Real);
    desk.at(1000).send("POST", MESSAGES).is_limited(Scope::User, 4000);
    desk.at(1250).send("POST", MESSAGES).is_limited(Scope::User, 3750);
    let early = desk.at(1251).send("POST", MESSAGES);
    early.is_early(
        "POST /channels/{channel_id}/messages of bot 9 came 3.749s before the end of the wait for its bucket",
    );
    early.is_early("that was told 251ms earlier");
    assert!(early.refusal.is_some());
    desk.at(4999).send("POST", MESSAGES).is_early("its bucket");
    desk.at(5000).send("POST", MESSAGES).passes();
}

#[test]
fn a_wait_of_a_fault_is_held_against_callers_though_it_refuses_nothing() {
    for mode in [Mode::Off, Mode::Real] {
        let mut desk = Desk::new(mode);
        desk.tell("POST", MESSAGES, Refusal::limited(Scope::Shared, 1000 * MS), false);
        desk.at(250).send("POST", MESSAGES).passes();
        desk.at(900).send("POST", "/channels/6/messages").passes();
        desk.send("GET", MESSAGES).passes();
        let early = desk.send("POST", MESSAGES);
        early.is_early("its resource");
        assert_eq!(early.refusal, None);
        desk.at(1000).send("POST", MESSAGES).passes();
    }
}

#[test]
fn a_wait_of_a_storm_refuses_until_its_end() {
    for mode in [Mode::Off, Mode::Real] {
        let mut desk = Desk::new(mode);
        desk.tell("POST", MESSAGES, Refusal::limited(Scope::Inner, 1000 * MS), true);
        desk.at(100).send("POST", MESSAGES).is_limited(Scope::Inner, 900);
        desk.send("GET", MESSAGES).passes();
        desk.tell("GET", MESSAGES, Refusal::limited(Scope::Global, 500 * MS), true);
        desk.at(200).send("GET", "/users/@me").is_limited(Scope::Global, 400);
        desk.send("POST", "/interactions/1/t/callback").passes();
        desk.at(1000).send("POST", MESSAGES).passes();
    }
}

#[test]
fn a_longer_wait_does_not_make_the_first_one_unheard() {
    let mut desk = Desk::new(Mode::Off);
    desk.tell("POST", MESSAGES, Refusal::limited(Scope::User, 400 * MS), false);
    desk.at(100).tell("POST", MESSAGES, Refusal::limited(Scope::User, 1000 * MS), false);
    desk.at(300).send("POST", MESSAGES).is_early("100ms before");
    desk.at(600).send("POST", MESSAGES).is_early("500ms before");
}

#[test]
fn that_routes_share_a_bucket_is_known_by_an_answer_of_each() {
    let (put, delete) = (("PUT", "/channels/5/permissions/1"), ("DELETE", "/channels/5/permissions/1"));
    let mut desk = Desk::new(Mode::Off);
    desk.tell(put.0, put.1, Refusal::limited(Scope::User, 5000 * MS), false);
    desk.at(1000).send(delete.0, delete.1).passes();
    desk.at(1250).send(delete.0, delete.1).passes();
    desk.at(1251).send(delete.0, delete.1).is_early("its bucket");
    desk.at(1251).send(put.0, put.1).is_early("its bucket");
}

#[test]
fn a_global_wait_is_for_all_of_a_bot_and_a_page_for_everybody() {
    let mut desk = Desk::new(Mode::Off);
    desk.tell("POST", MESSAGES, Refusal::limited(Scope::Global, 1000 * MS), false);
    desk.at(500).send("GET", "/users/@me").is_early("all of its bot");
    desk.send("POST", "/webhooks/1/t").passes();
    desk.bot = 10;
    desk.send("GET", "/users/@me").passes();
    desk.at(1000).tell("POST", MESSAGES, Refusal::page(1500 * MS), false);
    desk.at(2999).send("POST", "/webhooks/1/t").is_early("its address");
    desk.limits.arrive(None, desk.start + desk.now).is_early("a request without a good token");
    desk.at(3000).send("POST", "/webhooks/1/t").passes();
}

#[test]
fn so_many_invalid_requests_are_a_violation_and_a_ban() {
    let page = Refusal::page(5000 * MS);
    let answers = [
        (200, None, false),
        (401, None, false),
        (404, None, false),
        (429, Some(Refusal::limited(Scope::Shared, MS)), false),
        (429, Some(page), false),
        (403, None, false),
        (429, Some(Refusal::limited(Scope::Inner, MS)), true),
        (401, None, false),
    ];
    for mode in [Mode::Real, Mode::Off] {
        let mut desk = Desk::new(mode);
        (desk.limits.invalid_limit, desk.limits.ban_time) = (3, 5000 * MS);
        for (status, refusal, is_last) in answers {
            let violation = desk.limits.answered(None, status, refusal, desk.start);
            assert_eq!(violation.is_some(), is_last, "{status} {violation:?}");
        }
        assert_eq!(desk.limits.is_banned(desk.start), mode == Mode::Real);
    }
}

#[test]
fn a_ban_is_told_by_the_page_and_ends() {
    let mut desk = Desk::new(Mode::Real);
    desk.limits.ban(4500 * MS, desk.start);
    // The first page tells of it.
    let first = desk.at(1000).send("POST", "/interactions/1/t/callback");
    assert_eq!((first.refusal, first.verdict), (Some(Refusal::Page(4000 * MS)), Some(Verdict::Banned)));
    assert_eq!(first.violation, None);
    assert_eq!(desk.at(1200).send("GET", MESSAGES).violation, None);
    let early = desk.at(1300).send("GET", MESSAGES);
    early.is_early("its address");
    assert_eq!(early.refusal, Some(Refusal::Page(4000 * MS)));
    desk.at(4999).send("GET", MESSAGES).is_early("its address");
    desk.at(5000).send("GET", MESSAGES).passes();
    desk.limits.ban(Duration::ZERO, desk.start + desk.now);
    assert!(!desk.limits.is_banned(desk.start + desk.now));
}

#[test]
fn what_is_off_shows_a_bucket_that_is_never_exhausted() {
    let mut desk = Desk::new(Mode::Off);
    for _ in 0..200 {
        assert_eq!(desk.send("POST", MESSAGES).passes(), 49);
    }
}
