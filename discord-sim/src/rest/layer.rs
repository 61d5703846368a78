//! Around every REST call: the judge of what is asked, limits and faults.

use std::time::Duration;

use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    call,
    faults::RestFault,
    limited,
    underway::{Call, Luck},
};
use crate::{
    error::ApiError, gateway::Wire, ledger::Verdict, openapi::Judge, sim::Sim, snowflake::ids_as_text, state::Principal,
};

/// Discord answers a path that it does not know so.
pub(super) async fn unknown_route() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, 0, "404: Not Found")
}

/// Discord answers a method that a path does not take so.
pub(super) async fn unknown_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, 0, "405: Method Not Allowed")
}

/// Fields that a library sends always and Discord passes over: template and field.
const PASSED_OVER: [(&str, &str); 1] = [("/webhooks/{webhook_id}/{webhook_token}", "enforce_nonce")];

/// Lets a call through and writes down what it was.
pub(super) async fn judge(State(sim): State<Sim>, request: Request, next: Next) -> Response {
    let at = sim.read(|state| state.now());
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, call::MAX_BODY).await else {
        return ApiError::bad(40005, "Request entity too large").into_response();
    };
    let principal = sim.read(|state| call::principal(state, &parts));
    let mut call = Call::new(sim, &parts, principal, at);

    if let Some(refusal) = wrong_agent(&call, &parts) {
        let problem = format!("{} {}: a bot's User-Agent must be `DiscordBot (url, version)`", call.method, call.path);
        call.problems.push(problem);
        return call.finish(refusal.into_response()).await;
    }
    // A wrong token is answered before the body is looked at.
    let claims_bot =
        parts.headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"Bot "));
    let mut json = None;
    if call.is_judged() && (call.principal.is_some() || !claims_bot) {
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        json = json_of(content_type, &bytes)
            .await
            .map(|json| without_passed_over(ids_as_text(json), call.template.as_deref()));
        let (query, judge) = (call.query.as_deref(), Judge::shared());
        let mismatches = judge.request(&call.method, &call.path, query, content_type, json.as_ref());
        call.problems.extend(mismatches.iter().map(ToString::to_string));
    }
    let Luck { fault, calm } = match call.admit(json.as_ref()) {
        Ok(luck) => luck,
        Err(refusal) => return call.finish(limited::refused(refusal)).await,
    };
    if let Some(refusal) = fault.as_ref().and_then(without_effect) {
        return call.finish(refusal).await;
    }
    if let Some(RestFault::Hold(time)) = fault {
        pause(time, &calm).await;
    }
    let wire = parts.extensions.get::<ConnectInfo<Wire>>().map(|ConnectInfo(wire)| wire.clone());
    let mut response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    match fault {
        Some(RestFault::Delay(time)) => pause(time, &calm).await,
        Some(RestFault::FailAfterEffect) => response = StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(RestFault::BreakAfterEffect) => {
            call.verdict.get_or_insert(Verdict::Failed);
            // The connection has this request alone: HTTP/1 has one at a time.
            wire.iter().for_each(Wire::cut_next_write);
        }
        _ => {}
    }
    call.finish(response).await
}

/// The answer of a fault that does not let a request through.
fn without_effect(fault: &RestFault) -> Option<Response> {
    let known = |status| StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match fault {
        RestFault::Refuse(status, code) => {
            Some((known(*status), Json(json!({ "code": code, "message": "injected" }))).into_response())
        }
        RestFault::ServerError(status) => Some((known(*status), "upstream connect error\n").into_response()),
        _ => None,
    }
}

async fn pause(time: Duration, calm: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = calm.cancelled() => {}
    }
}

fn without_passed_over(mut json: Value, template: Option<&str>) -> Value {
    for (route, field) in PASSED_OVER {
        if template == Some(route)
            && let Some(fields) = json.as_object_mut()
        {
            fields.remove(field);
        }
    }
    json
}

/// Webhooks are used by plain HTTP clients too, also by those within libraries for bots, and Discord lets them.
fn wrong_agent(call: &Call, parts: &Parts) -> Option<ApiError> {
    let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_bot = matches!(call.principal, Some(Principal::Bot(_))) && !call.path.starts_with("/webhooks/");
    let wrong = is_bot && !agent.starts_with("DiscordBot (");
    wrong.then(|| ApiError::new(StatusCode::FORBIDDEN, 40333, "internal network error"))
}

async fn json_of(content_type: Option<&str>, bytes: &Bytes) -> Option<Value> {
    let content_type = content_type.unwrap_or_default();
    if !content_type.starts_with("multipart/form-data") {
        return serde_json::from_slice(bytes).ok();
    }
    let request = Request::builder().header(header::CONTENT_TYPE, content_type).body(Body::from(bytes.clone())).ok()?;
    let mut form =
        <axum::extract::Multipart as axum::extract::FromRequest<()>>::from_request(request, &()).await.ok()?;
    while let Ok(Some(field)) = form.next_field().await {
        if field.name() == Some("payload_json") {
            return serde_json::from_str(&field.text().await.ok()?).ok();
        }
    }
    None
}
