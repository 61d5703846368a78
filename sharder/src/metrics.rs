//! What the sharder counts.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// The counters of one process, shared by its shards.
#[derive(Clone)]
pub struct Metrics {
    /// `gateway_events_total{type}`: dispatches received.
    pub events: IntCounterVec,
    /// `gateway_seq_unacked`: dispatches received and not yet acknowledged by Kafka.
    pub unacked: IntGauge,
    /// `gateway_resumes_total`: sessions resumed.
    pub resumes: IntCounter,
    /// `gateway_identifies_total`: sessions started.
    pub identifies: IntCounter,
    /// `gateway_disconnects_total{code}`: connections closed, by either side.
    pub disconnects: IntCounterVec,
    /// `gateway_shards{state}`: how many shards are in which state.
    pub shards: IntGaugeVec,
    /// `gateway_stalls_total`: how often reading stopped because Kafka did not keep up.
    pub stalls: IntCounter,
    /// `gateway_resends_total`: events sent to Kafka again because it did not take them.
    pub resends: IntCounter,
    /// `gateway_events_refused_total`: events that are too large for Kafka, kept without their bodies.
    pub refused: IntCounter,
    /// `gateway_frames_malformed_total`: frames that are no gateway messages.
    pub malformed: IntCounter,
    /// `gateway_sequence_gaps_total`: sequences that Discord skipped.
    pub gaps: IntCounter,
    /// `gateway_session_saves_total{result}`: positions written to Redis.
    pub saves: IntCounterVec,
    /// `gateway_sessions_lost_total{reason}`: sessions that could not be resumed; what happened until the next one is not
    /// known by events.
    pub lost: IntCounterVec,
    /// `gateway_identifies_refused_total`: IDENTIFYs that Discord answered by opcode 9.
    pub identifies_refused: IntCounter,
    /// `gateway_identify_remaining`: IDENTIFYs that Discord still allows in this period.
    pub identify_remaining: IntGauge,
    /// `gateway_identify_reserve`: from which number on they are spread over the rest of the period.
    pub identify_reserve: IntGauge,
    /// `gateway_identify_low`: bots that have no more than their reserve left. Anything but 0 wants a person.
    pub identify_low: IntGauge,
    /// `gateway_shards_recommended`: how many shards Discord would have.
    pub recommended: IntGauge,
}

impl Metrics {
    /// Registers the counters.
    ///
    /// # Errors
    ///
    /// When one of the names is registered already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let counters = |name: &str, help: &str, label: &str| {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let shards = IntGaugeVec::new(Opts::new("gateway_shards", "Shards by state"), &["state"])?;
        registry.register(Box::new(shards.clone()))?;
        Ok(Self {
            events: counters("gateway_events_total", "Dispatches received, by type", "type")?,
            unacked: gauge("gateway_seq_unacked", "Events received and not yet acknowledged by Kafka")?,
            resumes: counter("gateway_resumes_total", "Sessions resumed")?,
            identifies: counter("gateway_identifies_total", "Sessions started")?,
            disconnects: counters("gateway_disconnects_total", "Connections closed, by close code", "code")?,
            shards,
            stalls: counter("gateway_stalls_total", "Times that reading stopped because Kafka did not keep up")?,
            resends: counter("gateway_resends_total", "Events sent to Kafka again because it did not take them")?,
            refused: counter(
                "gateway_events_refused_total",
                "Events too large for Kafka, kept without their bodies among the dead letters",
            )?,
            malformed: counter("gateway_frames_malformed_total", "Frames that are no gateway messages")?,
            gaps: counter("gateway_sequence_gaps_total", "Sequences that Discord skipped")?,
            saves: counters("gateway_session_saves_total", "Positions written to Redis, by result", "result")?,
            lost: counters("gateway_sessions_lost_total", "Sessions that could not be resumed, by reason", "reason")?,
            identifies_refused: counter(
                "gateway_identifies_refused_total",
                "IDENTIFYs that Discord answered by opcode 9",
            )?,
            identify_remaining: gauge("gateway_identify_remaining", "IDENTIFYs that Discord still allows")?,
            identify_reserve: gauge("gateway_identify_reserve", "From which number on IDENTIFYs are spread over time")?,
            identify_low: gauge("gateway_identify_low", "Bots with no more IDENTIFYs left than their reserve")?,
            recommended: gauge("gateway_shards_recommended", "Shards that Discord recommends")?,
        })
    }
}
