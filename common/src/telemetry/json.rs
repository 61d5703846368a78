use std::fmt;

use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    registry::LookupSpan,
};

/// One flat JSON object per line: `timestamp`, `level`, `service`, `message`, `target`, the fields of the enclosing
/// spans, the event's own fields.
pub(super) struct Json {
    /// The service when no span names one.
    pub(super) service: &'static str,
}

impl<S> FormatEvent<S, Fields> for Json
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn format_event(&self, cx: &FmtContext<'_, S, Fields>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Map::new();
        let now = OffsetDateTime::now_utc().format(&Rfc3339).map_err(|_| fmt::Error)?;
        line.insert("timestamp".to_owned(), now.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("service".to_owned(), self.service.into());
        line.insert("target".to_owned(), event.metadata().target().into());
        for span in cx.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<FormattedFields<Fields>>() {
                line.extend(parse(&fields.fields));
            }
        }
        event.record(&mut Collect(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Keeps a span's fields as a JSON object.
pub(super) struct Fields;

impl<'writer> FormatFields<'writer> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut map = Map::new();
        fields.record(&mut Collect(&mut map));
        write!(writer, "{}", Value::Object(map))
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        let mut map = parse(&current.fields);
        fields.record(&mut Collect(&mut map));
        current.fields = Value::Object(map).to_string();
        Ok(())
    }
}

fn parse(fields: &str) -> Map<String, Value> {
    serde_json::from_str(fields).unwrap_or_default()
}

struct Collect<'map>(&'map mut Map<String, Value>);

impl Collect<'_> {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Collect<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.insert(field, text);
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::testing::capture;

    #[test]
    fn a_line_names_the_service_of_its_span_and_has_the_fields_at_the_top() {
        let (lines, _captured) = capture("standalone");
        tracing::info!("outside");
        let span = tracing::error_span!("service", service = "worker", task = tracing::field::Empty);
        span.record("task", "serve");
        span.in_scope(|| {
            let inner = tracing::error_span!("record", trace_id = %format_args!("{:032x}", 7));
            inner.in_scope(|| tracing::info!(ticket.number = 7, "closed ticket 7"));
        });
        let lines = lines.all();
        assert_eq!(lines[0]["service"], "standalone");
        assert_eq!(lines[0]["message"], "outside");
        assert_eq!(lines[1]["service"], "worker");
        assert_eq!(lines[1]["task"], "serve");
        assert_eq!(lines[1]["trace_id"], "00000000000000000000000000000007");
        assert_eq!(lines[1]["ticket.number"], 7);
        assert_eq!(lines[1]["level"], "INFO");
    }
}
