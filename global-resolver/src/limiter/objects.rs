//! What Discord refused again and again, so that it is not asked the same for a while.

use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use common::discord::Route;
use foldhash::HashMap;
use serde::Deserialize;
use tokio::time::Instant;

/// Discord's codes for a channel and a webhook that are not there ("JSON Error Codes" in its documentation).
const UNKNOWN_CHANNEL: u64 = 10_003;
const UNKNOWN_WEBHOOK: u64 = 10_015;

/// Once may be a race.
const REPEATED: u32 = 2;
/// What is deleted stays deleted.
const GONE: Duration = Duration::from_secs(5 * 60);
/// A permission may be given at any moment, and who gives it wants to see that it helped.
const FORBIDDEN: Duration = Duration::from_secs(15);
/// So long without news makes it a first time again.
const FORGOTTEN: Duration = Duration::from_secs(10 * 60);
/// So many make it worthwhile to forget the old ones.
const SWEEP_AT: usize = 4096;

/// An answer that is given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its status.
    pub status: StatusCode,
    /// Its body, which is JSON.
    pub body: Bytes,
}

/// What a bot was refused.
#[derive(Debug, Default)]
pub(super) struct Objects(HashMap<String, Entry>);

#[derive(Debug)]
struct Entry {
    times: u32,
    last: Instant,
    wait: Duration,
    refusal: Refusal,
}

#[derive(Default, Deserialize)]
struct Body {
    code: Option<u64>,
}

impl Objects {
    /// What Discord would answer.
    pub(super) fn refusal(&self, route: &Route, now: Instant) -> Option<&Refusal> {
        // Mostly there is nothing.
        if self.0.is_empty() {
            return None;
        }
        [gone(route), same(route)]
            .iter()
            .filter_map(|key| self.0.get(key))
            .find_map(|entry| (entry.times >= REPEATED && now < entry.last + entry.wait).then_some(&entry.refusal))
    }

    /// Remembers an answer.
    pub(super) fn answered(&mut self, route: &Route, status: StatusCode, body: &Bytes, now: Instant) {
        let (key, wait) = match status {
            StatusCode::FORBIDDEN => (same(route), FORBIDDEN),
            // The token in the path is not valid.
            StatusCode::UNAUTHORIZED if route.by_path_token => (gone(route), GONE),
            StatusCode::NOT_FOUND => match serde_json::from_slice::<Body>(body).unwrap_or_default().code {
                Some(UNKNOWN_CHANNEL | UNKNOWN_WEBHOOK) if !route.major.is_empty() => (gone(route), GONE),
                _ => return,
            },
            status if status.is_success() => {
                if !self.0.is_empty() {
                    self.0.remove(&same(route));
                    self.0.remove(&gone(route));
                }
                return;
            }
            _ => return,
        };
        if self.0.len() >= SWEEP_AT {
            self.0.retain(|_, entry| now < entry.last + FORGOTTEN);
        }
        let refusal = Refusal { status, body: body.clone() };
        let times = self.0.get(&key).filter(|entry| now < entry.last + FORGOTTEN).map_or(0, |entry| entry.times);
        self.0.insert(key, Entry { times: times + 1, last: now, wait, refusal });
    }
}

/// All of a channel, or of a webhook.
fn gone(route: &Route) -> String {
    route.major.clone()
}

/// The same request.
fn same(route: &Route) -> String {
    format!("{} {}", route.label, route.object)
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn route(method: Method, path: &str) -> Route {
        Route::new(&method, path, 0)
    }

    fn unknown_channel() -> Bytes {
        Bytes::from_static(br#"{"message":"Unknown Channel","code":10003}"#)
    }

    #[test]
    fn a_channel_that_is_not_there_is_not_asked_for_a_third_time() {
        let (mut objects, now) = (Objects::default(), Instant::now());
        let (send, read) = (route(Method::POST, "channels/1/messages"), route(Method::GET, "channels/1"));
        objects.answered(&send, StatusCode::NOT_FOUND, &unknown_channel(), now);
        assert_eq!(objects.refusal(&send, now), None, "once may be a race");
        objects.answered(&read, StatusCode::NOT_FOUND, &unknown_channel(), now);
        for asked in [&send, &read] {
            let refusal = objects.refusal(asked, now).unwrap();
            assert_eq!((refusal.status, &refusal.body), (StatusCode::NOT_FOUND, &unknown_channel()));
        }
        assert_eq!(objects.refusal(&route(Method::GET, "channels/2"), now), None);
        assert_eq!(objects.refusal(&send, now + GONE), None, "it is asked again in a while");
        objects.answered(&send, StatusCode::NOT_FOUND, &unknown_channel(), now + GONE);
        assert!(objects.refusal(&send, now + GONE + SECOND).is_some(), "and once is enough then");
    }

    #[test]
    fn another_thing_that_is_not_there_says_nothing_about_the_channel() {
        let (mut objects, now) = (Objects::default(), Instant::now());
        let delete = route(Method::DELETE, "channels/1/messages/2");
        for _ in 0..5 {
            let unknown_message = Bytes::from_static(br#"{"message":"Unknown Message","code":10008}"#);
            objects.answered(&delete, StatusCode::NOT_FOUND, &unknown_message, now);
            objects.answered(&delete, StatusCode::NOT_FOUND, &Bytes::new(), now);
        }
        assert_eq!(objects.refusal(&delete, now), None);
    }

    #[test]
    fn what_is_forbidden_is_asked_again_soon_and_another_method_is_another_thing() {
        let (mut objects, now) = (Objects::default(), Instant::now());
        let (send, read) = (route(Method::POST, "channels/1/messages"), route(Method::GET, "channels/1/messages"));
        let body = Bytes::from_static(br#"{"message":"Missing Access","code":50001}"#);
        objects.answered(&send, StatusCode::FORBIDDEN, &body, now);
        objects.answered(&send, StatusCode::FORBIDDEN, &body, now);
        assert!(objects.refusal(&send, now + FORBIDDEN - SECOND).is_some());
        assert_eq!(objects.refusal(&read, now), None);
        assert_eq!(objects.refusal(&send, now + FORBIDDEN), None);
        objects.answered(&send, StatusCode::OK, &Bytes::new(), now + FORBIDDEN);
        objects.answered(&send, StatusCode::FORBIDDEN, &body, now + FORBIDDEN);
        assert_eq!(objects.refusal(&send, now + FORBIDDEN), None, "it went well in between");
    }
}
