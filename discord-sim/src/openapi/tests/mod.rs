mod broken;
mod description;
mod interactions;
mod requests;
mod responses;

use axum::http::Method;
use serde_json::Value;

use super::{Judge, Mismatch};

fn request(method: Method, path: &str, body: &Value) -> Vec<Mismatch> {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    Judge::shared().request(&method, path, query, Some("application/json"), Some(body))
}

/// The request is one that Discord accepts.
#[track_caller]
fn accepts(method: Method, path: &str, body: &Value) {
    let mismatches = request(method, path, body);
    assert!(mismatches.is_empty(), "{}", lines(&mismatches));
}

/// The answer is one that Discord gives.
#[track_caller]
fn answers(method: Method, path: &str, status: u16, body: &Value) {
    let mismatches = Judge::shared().response(&method, path, status, Some(body));
    assert!(mismatches.is_empty(), "{}", lines(&mismatches));
}

/// Exactly one mismatch, with this pointer and a detail that contains `words`.
#[track_caller]
fn names(mismatches: &[Mismatch], pointer: &str, words: &str) {
    let [mismatch] = mismatches else { panic!("one mismatch expected:\n{}", lines(mismatches)) };
    assert_eq!(mismatch.pointer, pointer, "{mismatch}");
    assert!(mismatch.detail.contains(words), "{mismatch}");
    assert!(mismatch.to_string().chars().count() <= Mismatch::MAX_LINE, "{mismatch}");
}

fn lines(mismatches: &[Mismatch]) -> String {
    mismatches.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
