use axum::http::Method;

use super::{
    Judge,
    mismatch::{Mismatch, Side, shorten},
};

/// Routes that clients rightly use though the description has none of them.
const UNDESCRIBED: [(Method, &str); 5] = [
    // Where Discord's own client, not a bot, presses buttons and sends commands.
    (Method::POST, "/interactions"),
    // Where it asks for the commands to offer.
    (Method::GET, "/guilds/{guild_id}/application-command-index"),
    // Documented, but missing from the description.
    (Method::GET, "/applications/{application_id}/skus"),
    // Documented as part of OAuth2, which the description leaves out.
    (Method::POST, "/oauth2/token"),
    (Method::POST, "/oauth2/token/revoke"),
];

/// The part of a [`Mismatch`] that all mismatches of one request or answer share.
pub(super) struct Blame<'a> {
    pub(super) method: &'a Method,
    pub(super) route: &'a str,
    pub(super) side: Side,
    pub(super) status: Option<u16>,
}

impl Blame<'_> {
    pub(super) fn here(&self, detail: String) -> Mismatch {
        self.at(String::new(), detail)
    }

    pub(super) fn at(&self, pointer: String, detail: String) -> Mismatch {
        let Self { method, route, side, status } = *self;
        Mismatch {
            method: method.clone(),
            route: route.to_owned(),
            side,
            status,
            pointer,
            detail: shorten(&detail, Mismatch::MAX_LINE),
        }
    }

    /// For a path without an operation: one mismatch, unless the route is known to be missing from the description.
    pub(super) fn undescribed(&self, judge: &Judge, path: &str) -> Vec<Mismatch> {
        if UNDESCRIBED.iter().any(|(method, template)| method == self.method && fits(template, path)) {
            return Vec::new();
        }
        let methods: Vec<_> = judge.document.routes.methods(path).into_iter().map(Method::as_str).collect();
        vec![self.here(match methods.as_slice() {
            [] => "Discord describes no such route".to_owned(),
            methods => format!("Discord describes only {} here", methods.join(", ")),
        })]
    }
}

fn fits(template: &str, path: &str) -> bool {
    let same = |(expected, segment): (&str, &str)| expected == segment || expected.starts_with('{');
    template.split('/').count() == path.split('/').count() && template.split('/').zip(path.split('/')).all(same)
}
