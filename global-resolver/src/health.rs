//! How each bot is, for `/health`.

use serde_json::{Value, json};

use crate::limiter::Limiter;

/// The address and its bots. A bot's key is made of its token and does not contain it.
#[must_use]
pub fn of(limiter: &Limiter) -> Value {
    let seconds = |wait: Option<std::time::Duration>| wait.map(|wait| wait.as_secs_f64());
    let bots = limiter.bots().into_iter().map(|bot| {
        json!({
            "key": bot.key.to_string(),
            "token_accepted": !bot.refused,
            "limited_for": seconds(bot.closed),
            "waiting": bot.waiting,
            "free": bot.free,
            "buckets": bot.buckets,
        })
    });
    json!({
        "banned_for": seconds(limiter.ban()),
        "invalid_requests": limiter.invalid(),
        "breaker": limiter.breaker().as_str(),
        "bots": bots.collect::<Vec<_>>(),
    })
}
