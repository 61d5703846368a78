use std::{io::IsTerminal, str::FromStr};

use secrecy::{ExposeSecret, SecretString};
use sentry::types::Dsn;
use tracing_subscriber::EnvFilter;

use crate::config::{Env, FromEnv, Invalid};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Human,
}

/// What is logged and where errors are reported.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// `RUST_LOG`: the filter, in the syntax of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// `LOG_FORMAT`: `json` or `human`; unset: human on a terminal, else JSON.
    pub format: LogFormat,
    /// `SENTRY_DSN`: where errors are reported, if anywhere.
    pub sentry_dsn: Option<SecretString>,
}

impl FromEnv for Telemetry {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let filter = env
            .var("RUST_LOG")
            .about("what is logged: a level, or target=level separated by commas")
            .example("info,worker=debug")
            .default("info")
            .required_as("a log filter", |text| EnvFilter::try_new(text).ok().map(|_| text.to_owned()));
        let format = env
            .var("LOG_FORMAT")
            .about("json or human; unset: human on a terminal, else json")
            .example("json")
            .optional_as("json or human", |text| match text {
                "json" => Some(LogFormat::Json),
                "human" => Some(LogFormat::Human),
                _ => None,
            });
        let sentry_dsn =
            env.var("SENTRY_DSN").about("where errors are reported, if anywhere").optional_secret().and_then(|dsn| {
                match &dsn {
                    Some(dsn) if Dsn::from_str(dsn.expose_secret()).is_err() => {
                        Err(env.invalid("SENTRY_DSN", "is not a Sentry DSN"))
                    }
                    _ => Ok(dsn),
                }
            });
        let by_terminal = if std::io::stderr().is_terminal() { LogFormat::Human } else { LogFormat::Json };
        Ok(Telemetry { filter: filter?, format: format?.unwrap_or(by_terminal), sentry_dsn: sentry_dsn? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read;

    #[test]
    fn a_malformed_dsn_is_a_problem_and_not_shown() {
        let text = read::<Telemetry>(&mut Env::from_pairs([("SENTRY_DSN", "hunter2")])).unwrap_err().to_string();
        assert!(text.contains("SENTRY_DSN") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_a_problem() {
        assert!(read::<Telemetry>(&mut Env::from_pairs([("RUST_LOG", "worker=loud")])).is_err());
    }
}
