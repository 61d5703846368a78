//! Transport compression: one never-ending stream per connection, flushed after each payload.

use flate2::{Compress, Compression as Level, FlushCompress};
use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation, OutBuffer};

/// What a connection asked for by `compress=`.
pub(crate) enum Compression {
    /// Text frames.
    None,
    /// `zlib-stream`: every payload ends with 00 00 FF FF.
    Zlib(Compress),
    /// `zstd-stream`: one frame that never ends, one WebSocket message per payload.
    Zstd(Box<Encoder<'static>>),
}

impl Compression {
    /// The stream for the query's value; unknown values mean none.
    pub(crate) fn new(name: Option<&str>) -> std::io::Result<Self> {
        Ok(match name {
            Some("zlib-stream") => Self::Zlib(Compress::new(Level::fast(), true)),
            Some("zstd-stream") => {
                let mut stream = Encoder::new(1)?;
                // 256 KiB, as Discord has it ("How Discord Reduced Websocket Traffic by 40%"): what a client must hold.
                stream.set_parameter(CParameter::WindowLog(18))?;
                Self::Zstd(Box::new(stream))
            }
            _ => Self::None,
        })
    }

    /// The bytes of one payload, or `None` when it goes out as text.
    pub(crate) fn apply(&mut self, payload: &str) -> std::io::Result<Option<Vec<u8>>> {
        match self {
            Self::None => Ok(None),
            Self::Zlib(stream) => {
                let mut out = Vec::with_capacity(payload.len() / 2 + 64);
                let begin = stream.total_in();
                loop {
                    let consumed = usize::try_from(stream.total_in() - begin).unwrap_or(payload.len());
                    stream.compress_vec(&payload.as_bytes()[consumed..], &mut out, FlushCompress::Sync)?;
                    // Room left over means that everything, the flush included, is out.
                    if out.len() < out.capacity() && stream.total_in() - begin == payload.len() as u64 {
                        return Ok(Some(out));
                    }
                    out.reserve(out.capacity().max(64));
                }
            }
            Self::Zstd(stream) => {
                let mut out = Vec::with_capacity(payload.len() / 2 + 64);
                let mut input = InBuffer::around(payload.as_bytes());
                let mut chunk = [0; 16 * 1024];
                while input.pos() < payload.len() {
                    let mut output = OutBuffer::around(&mut chunk[..]);
                    stream.run(&mut input, &mut output)?;
                    out.extend_from_slice(output.as_slice());
                }
                loop {
                    let mut output = OutBuffer::around(&mut chunk[..]);
                    let left = stream.flush(&mut output)?;
                    out.extend_from_slice(output.as_slice());
                    if left == 0 {
                        return Ok(Some(out));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn payloads() -> Vec<String> {
        vec!["{}".into(), format!("{{\"d\":\"{}\"}}", "ab\u{fc}".repeat(50_000)), String::from("{\"op\":11}")]
    }

    #[test]
    fn zlib_payloads_end_with_the_flush_mark_and_share_one_context() {
        let mut stream = Compression::new(Some("zlib-stream")).unwrap();
        let mut all = Vec::new();
        for payload in payloads() {
            let bytes = stream.apply(&payload).unwrap().unwrap();
            assert!(bytes.ends_with(&[0, 0, 0xff, 0xff]));
            all.extend(bytes);
        }
        let mut text = vec![0; payloads().concat().len()];
        flate2::read::ZlibDecoder::new(&all[..]).read_exact(&mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), payloads().concat());
    }

    #[test]
    fn zstd_payloads_share_one_frame() {
        let mut stream = Compression::new(Some("zstd-stream")).unwrap();
        let all: Vec<u8> = payloads().iter().flat_map(|payload| stream.apply(payload).unwrap().unwrap()).collect();
        let mut text = vec![0; payloads().concat().len()];
        zstd::stream::read::Decoder::new(&all[..]).unwrap().read_exact(&mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), payloads().concat());
    }
}
