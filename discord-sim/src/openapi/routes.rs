use axum::http::Method;
use serde_json::Value;

use super::document::Operation;

/// The route templates of the description, found by a concrete path.
pub(super) struct Routes {
    /// Indexed by the number of segments.
    by_length: Vec<Vec<Route>>,
}

/// One route template with its operations.
pub(super) struct Route {
    pub(super) template: String,
    pub(super) operations: Vec<Operation>,
    segments: Vec<Segment>,
}

enum Segment {
    Literal(String),
    Parameter { name: String, snowflake: bool },
}

impl Routes {
    pub(super) fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        let mut by_length: Vec<Vec<Route>> = Vec::new();
        for route in routes {
            let length = route.segments.len();
            if by_length.len() <= length {
                by_length.resize_with(length + 1, Vec::new);
            }
            by_length[length].push(route);
        }
        // Literal segments win over parameters, from the left: `@original` before `{message_id}`.
        for routes in &mut by_length {
            routes.sort_by_key(|route| {
                route.segments.iter().map(|s| matches!(s, Segment::Parameter { .. })).collect::<Vec<_>>()
            });
        }
        Self { by_length }
    }

    /// The best template for `path` that has an operation for `method`.
    pub(super) fn find(&self, method: &Method, path: &str) -> Option<(&Route, &Operation)> {
        self.matching(path).find_map(|route| Some((route, route.operation(method)?)))
    }

    /// The methods that the description has for `path`.
    pub(super) fn methods(&self, path: &str) -> Vec<&Method> {
        self.matching(path).flat_map(|route| route.operations.iter().map(|operation| &operation.method)).collect()
    }

    /// Every route of the description.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = &Route> {
        self.by_length.iter().flatten()
    }

    fn matching<'a>(&'a self, path: &str) -> impl Iterator<Item = &'a Route> {
        let length = segments_of(path).count();
        self.by_length.get(length).into_iter().flatten().filter(move |route| route.matches(path))
    }
}

impl Route {
    /// `parameters` are the path parameters as the description lists them.
    pub(super) fn new(template: &str, parameters: &[Value], operations: Vec<Operation>) -> Self {
        let snowflake = |name: &str| {
            parameters.iter().any(|parameter| {
                parameter["name"] == name
                    && parameter["schema"]["$ref"].as_str().is_some_and(|r| r.ends_with("/SnowflakeType"))
            })
        };
        let segments = segments_of(template)
            .map(|segment| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) => Segment::Parameter { name: name.to_owned(), snowflake: snowflake(name) },
                None => Segment::Literal(segment.to_owned()),
            })
            .collect();
        Self { template: template.to_owned(), operations, segments }
    }

    /// What is wrong with the parameters that `path` carries.
    pub(super) fn check_parameters(&self, path: &str) -> Vec<String> {
        self.segments
            .iter()
            .zip(segments_of(path))
            .filter_map(|(segment, value)| match segment {
                Segment::Parameter { name, snowflake: true } if !is_snowflake(value) => {
                    Some(format!("path parameter {name} is {value:?}, not a snowflake"))
                }
                _ => None,
            })
            .collect()
    }

    fn operation(&self, method: &Method) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.method == *method)
    }

    fn matches(&self, path: &str) -> bool {
        self.segments.iter().zip(segments_of(path)).all(|(segment, value)| match segment {
            Segment::Literal(literal) => literal == value,
            Segment::Parameter { .. } => !value.is_empty(),
        })
    }
}

/// Whether `text` is an id as Discord writes it: an unsigned 64-bit number in decimal without leading zeros.
pub(super) fn is_snowflake(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
        && text.parse::<u64>().is_ok()
}

fn segments_of(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}
