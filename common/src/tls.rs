//! The one TLS provider of the process.

/// Makes `ring` the process's TLS provider. Does nothing when there is one already.
///
/// [`service::main`](crate::service::main) and this crate's clients call it; a test that opens another TLS client
/// (a gateway shard, a database with TLS) calls it first.
pub fn install_provider() {
    // The only error is that another call came first.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
