//! The routes, beside those that every service has.

mod cors;
mod prometheus;
mod total;

use std::time::Duration;

use axum::{Router, middleware::map_response, routing::get};
use model::routes::TOTAL;

use crate::{metrics::Gauges, total::Total};

/// What the routes need.
#[derive(Clone)]
pub struct Cx {
    /// What is known.
    total: Total,
    /// How often that changes.
    interval: Duration,
    /// The gauges alone, without those of the process.
    gauges: ::prometheus::Registry,
}

impl Cx {
    /// Routes that tell this count, which changes so often.
    ///
    /// # Errors
    ///
    /// When Prometheus does not take the gauges.
    pub fn new(total: Total, interval: Duration) -> ::prometheus::Result<Self> {
        let gauges = ::prometheus::Registry::new();
        gauges.register(Box::new(Gauges::new(&total)?))?;
        Ok(Self { total, interval, gauges })
    }
}

/// `GET /total` and `GET /total/prometheus`, for pages of any origin.
pub fn router(cx: Cx) -> Router {
    Router::new()
        .route(TOTAL, get(total::total).options(cors::preflight))
        .route("/total/prometheus", get(prometheus::total).options(cors::preflight))
        .layer(map_response(cors::allow))
        .with_state(cx)
}
