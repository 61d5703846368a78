use std::{io::IsTerminal, panic, str::FromStr, sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use sentry::{
    ClientInitGuard, ClientOptions,
    integrations::tracing::{BreadcrumbLayer, ErrorLayer},
    types::Dsn,
};
use tracing::Level;
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::{
    LogFormat, Telemetry,
    json::{Fields, Json},
    scrub,
};

/// The log target of panics: Sentry hears of them by its own panic hook, with their stack.
const PANIC: &str = "panic";

/// Keeps telemetry running; dropping it sends what is still to be sent.
#[must_use = "dropping it ends the reports"]
pub struct Guard {
    _sentry: Option<ClientInitGuard>,
}

/// Starts logging to standard error, and reports to Sentry when `config` names a DSN. Once per process.
pub fn init(service: &'static str, config: &Telemetry) -> Guard {
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(target: PANIC, location, "panicked: {message}");
    }));
    let guard = config.sentry_dsn.as_ref().and_then(|dsn| Dsn::from_str(dsn.expose_secret()).ok()).map(|dsn| {
        crate::tls::install_provider();
        let guard = sentry::init(sentry_options(dsn));
        sentry::configure_scope(|scope| scope.set_tag("service", service));
        guard
    });

    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let (json, human) = match config.format {
        LogFormat::Json => {
            (Some(fmt::layer().fmt_fields(Fields).event_format(Json { service }).with_writer(std::io::stderr)), None)
        }
        LogFormat::Human => {
            (None, Some(fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr)))
        }
    };
    let (errors, breadcrumbs) = if guard.is_some() {
        let error = filter_fn(|event| *event.level() == Level::ERROR && event.target() != PANIC);
        let info = filter_fn(|event| matches!(*event.level(), Level::WARN | Level::INFO));
        (Some(ErrorLayer::new().with_filter(error)), Some(BreadcrumbLayer::new().with_filter(info)))
    } else {
        (None, None)
    };
    // A second start in one process (tests) keeps the first subscriber.
    let _ =
        tracing_subscriber::registry().with(filter).with(json).with(human).with(errors).with(breadcrumbs).try_init();
    Guard { _sentry: guard }
}

/// Nothing personal is collected, and what is sent is scrubbed of secrets first.
fn sentry_options(dsn: Dsn) -> ClientOptions {
    let mut options = ClientOptions::new()
        .release(concat!("tickets@", env!("CARGO_PKG_VERSION")))
        .send_default_pii(false)
        .attach_stacktrace(true)
        .shutdown_timeout(Duration::from_secs(2));
    options.dsn = Some(dsn);
    options.before_send = Some(Arc::new(|event| Some(scrub::event(event))));
    options.before_breadcrumb = Some(Arc::new(|crumb| Some(scrub::breadcrumb(crumb))));
    options
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use sentry::{Breadcrumb, Client, Envelope, Hub, Level, Scope, Transport};

    use super::*;

    #[derive(Default)]
    struct Sent(Mutex<Vec<u8>>);

    impl Transport for Sent {
        fn send_envelope(&self, envelope: Envelope) {
            envelope.to_writer(&mut *self.0.lock().unwrap()).unwrap();
        }
    }

    #[test]
    fn a_report_leaves_the_process_without_secrets() {
        let secret = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.abcdefghijklmnopqrstuvwxyz0123456789_x";
        let sent = Arc::new(Sent::default());
        let mut options = sentry_options(Dsn::from_str("https://key@example.invalid/1").unwrap());
        options.transport = Some(Arc::new(sent.clone()));
        let hub = Hub::new(Some(Arc::new(Client::from(options))), Arc::new(Scope::default()));
        hub.add_breadcrumb(Breadcrumb { message: Some(format!("sent with Bot {secret}")), ..Breadcrumb::default() });
        hub.capture_message(&format!("token {secret} was refused"), Level::Error);
        let text = String::from_utf8(sent.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("was refused") && text.contains("sent with"), "{text}");
        assert!(!text.contains(secret), "{text}");
    }
}
