//! Why a follower does not know what it missed.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};

/// Records went before they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) cause: Cause,
    pub(super) why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The brokers deleted them.
    Retention,
    /// The topic was made anew, or lost data.
    Rewound,
    /// The client came to a position that the log does not have: one of the two.
    OutOfRange,
    /// The topic has other partitions now, or none.
    Partitions,
    /// A record is not what its topic promises.
    Undecodable,
    /// The client can go on no more.
    Client,
}

impl Cause {
    /// Its name in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Cause::Retention => "retention",
            Cause::Rewound => "rewound",
            Cause::OutOfRange => "out_of_range",
            Cause::Partitions => "partitions",
            Cause::Undecodable => "undecodable",
            Cause::Client => "client",
        }
    }
}

impl Loss {
    pub(super) fn new(cause: Cause, why: impl Into<String>) -> Loss {
        Loss { cause, why: why.into() }
    }

    /// What an error of the client says about lost records, where it says anything. A position that the log does not have
    /// comes as `AutoOffsetReset`, because of `auto.offset.reset=error`.
    pub(super) fn of(error: &KafkaError) -> Option<Loss> {
        let code = error.rdkafka_error_code()?;
        match (error, code) {
            (KafkaError::MessageConsumptionFatal(_), _) => Some(Loss::new(Cause::Client, error.to_string())),
            (
                _,
                RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::LogTruncation,
            ) => Some(Loss::new(Cause::OutOfRange, format!("the log does not have the next record any more: {code}"))),
            _ => None,
        }
    }
}
