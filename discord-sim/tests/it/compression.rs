use std::io::Read;

use flate2::{Decompress, FlushDecompress};
use serde_json::Value;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use crate::{house::House, socket::Socket};

/// READY and GUILD_CREATE by a compressed connection, decompressed by `inflate`, which gets message after message.
async fn handshake(house: &House, query: &str, mut inflate: impl FnMut(&[u8]) -> String) {
    let mut socket = Socket::open(house, query).await;
    let mut next = async |socket: &mut Socket| -> Value {
        let bytes = socket.message().await.into_data();
        serde_json::from_str(&inflate(&bytes)).expect("each message is one payload")
    };
    assert_eq!(next(&mut socket).await["op"], 10);
    socket.identify(&house.bot_token(), serde_json::json!({ "intents": 1 })).await;
    assert_eq!(next(&mut socket).await["t"], "READY");
    let guild = next(&mut socket).await;
    assert_eq!(guild["d"]["name"], "Moonlight Games");
}

#[tokio::test]
async fn zlib_stream_is_one_stream_with_a_flush_after_each_payload() {
    let house = House::build().await;
    let mut stream = Decompress::new(true);
    handshake(&house, "v=10&encoding=json&compress=zlib-stream", |bytes| {
        assert!(bytes.ends_with(&[0, 0, 0xff, 0xff]));
        let mut text = Vec::with_capacity(1 << 20);
        stream.decompress_vec(bytes, &mut text, FlushDecompress::Sync).unwrap();
        String::from_utf8(text).unwrap()
    })
    .await;
}

#[tokio::test]
async fn zstd_stream_is_one_frame_with_a_flush_after_each_payload() {
    let house = House::build().await;
    let mut stream = Decoder::new().unwrap();
    handshake(&house, "v=10&encoding=json&compress=zstd-stream", |bytes| {
        let mut text = vec![0; 1 << 20];
        let mut output = OutBuffer::around(&mut text[..]);
        let mut input = InBuffer::around(bytes);
        while input.pos() < bytes.len() {
            stream.run(&mut input, &mut output).unwrap();
        }
        let length = output.pos();
        let mut plain = String::new();
        (&text[..length]).read_to_string(&mut plain).unwrap();
        plain
    })
    .await;
}
