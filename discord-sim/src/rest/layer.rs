//! Around every REST call: faults, the judge on both sides, the ledger, rate-limit headers.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::{call, faults::RestFault};
use crate::{error::ApiError, ledger, openapi::Judge, sim::Sim, snowflake::ids_as_text, state::Principal};

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

/// A request on its way through.
struct Call {
    principal: Option<Principal>,
    method: Method,
    /// Below `/api/v10`, with `@` unescaped, as the description writes it.
    path: String,
    query: Option<String>,
    template: Option<String>,
    problems: Vec<String>,
}

impl Call {
    /// Whether Discord's description can judge it. It describes the routes of bots, not all that clients of people use.
    fn is_judged(&self) -> bool {
        self.template.is_some() || !matches!(self.principal, Some(Principal::Person(_)))
    }
}

/// Lets a call through and writes down what it was.
pub(super) async fn judge(State(sim): State<Sim>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, call::MAX_BODY).await else {
        return ApiError::bad(40005, "Request entity too large").into_response();
    };
    let (method, path) = (parts.method.clone(), parts.uri.path().replace("%40", "@"));
    let judge = Judge::shared();
    let mut call = Call {
        principal: sim.read(|state| call::principal(state, &parts)),
        template: judge.template(&method, &path).map(str::to_owned),
        query: parts.uri.query().map(str::to_owned),
        method,
        path,
        problems: Vec::new(),
    };

    if let Some(refusal) = wrong_agent(&call, &parts) {
        let Call { method, path, .. } = &call;
        call.problems.push(format!("{method} {path}: a bot's User-Agent must be `DiscordBot (url, version)`"));
        return finish(&sim, call, refusal.into_response()).await;
    }
    // A wrong token is answered before the body is looked at.
    let claims_bot =
        parts.headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"Bot "));
    if call.is_judged() && (call.principal.is_some() || !claims_bot) {
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let json = json_of(content_type, &bytes)
            .await
            .map(|json| without_passed_over(ids_as_text(json), call.template.as_deref()));
        let mismatches = judge.request(&call.method, &call.path, call.query.as_deref(), content_type, json.as_ref());
        call.problems.extend(mismatches.iter().map(ToString::to_string));
    }
    let fault = sim.write(|state| take_fault(&mut state.rest_faults, &call.method, call.template.as_deref()));
    if let Some((status, body)) = fault.as_ref().and_then(RestFault::body) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(body)).into_response();
        if let Some(RestFault::RateLimited { retry_after, scope }) = &fault {
            let seconds = retry_after.as_secs_f64().ceil().to_string();
            set(&mut response, "retry-after", &seconds);
            set(&mut response, "x-ratelimit-scope", scope);
            if *scope == "global" {
                set(&mut response, "x-ratelimit-global", "true");
            }
        }
        return finish(&sim, call, response).await;
    }
    let mut response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    match fault {
        Some(RestFault::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(RestFault::FailAfterEffect) => response = StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => {}
    }
    finish(&sim, call, response).await
}

async fn finish(sim: &Sim, mut call: Call, mut response: Response) -> Response {
    // discord.py takes a 429 without it for a ban by Cloudflare.
    set(&mut response, "via", "1.1 discord-sim");
    if response.status().is_success() {
        rate_limit_headers(sim, &call, &mut response);
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    if call.is_judged() {
        let json = serde_json::from_slice::<Value>(&bytes).ok();
        let path = call.query.as_ref().map_or_else(|| call.path.clone(), |query| format!("{}?{query}", call.path));
        let mismatches = Judge::shared().response(&call.method, &path, parts.status.as_u16(), json.as_ref());
        call.problems.extend(mismatches.iter().map(ToString::to_string));
    }
    sim.write(|state| {
        state.ledger.requests.push(ledger::Request {
            principal: call.principal,
            method: call.method.to_string(),
            path: without_tokens(&call.path),
            template: call.template,
            status: parts.status.as_u16(),
            at: state.now(),
        });
        for problem in call.problems {
            tracing::error!("against Discord's description: {problem}");
            state.ledger.violations.push(problem);
        }
    });
    Response::from_parts(parts, Body::from(bytes))
}

/// What Discord sends on every ordinary answer. One bucket a route; nothing is counted, limits come as faults.
fn rate_limit_headers(sim: &Sim, call: &Call, response: &mut Response) {
    let mut bucket = DefaultHasher::new();
    (call.method.as_str(), &call.template).hash(&mut bucket);
    let reset = sim.read(|state| state.now().unix_timestamp()) + 1;
    for (name, value) in
        [("x-ratelimit-limit", "50"), ("x-ratelimit-remaining", "49"), ("x-ratelimit-reset-after", "1")]
    {
        set(response, name, value);
    }
    set(response, "x-ratelimit-reset", &reset.to_string());
    set(response, "x-ratelimit-bucket", &format!("{:016x}", bucket.finish()));
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

fn take_fault(faults: &mut super::RestFaults, method: &Method, template: Option<&str>) -> Option<RestFault> {
    let index = faults
        .iter()
        .position(|(matching, _)| matching.method == method.as_str() && Some(matching.template) == template)?;
    let (matching, fault) = &mut faults[index];
    matching.times = matching.times.saturating_sub(1);
    let fault = fault.clone();
    if matching.times == 0 {
        faults.remove(index);
    }
    Some(fault)
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

/// Tokens of interactions and webhooks stand in the path; a ledger is read by people.
fn without_tokens(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    if matches!(parts.get(1), Some(&("interactions" | "webhooks"))) && parts.len() > 3 {
        parts[3] = "…";
    }
    parts.join("/")
}

fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
