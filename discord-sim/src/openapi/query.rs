use serde_json::Value;
use url::form_urlencoded;

/// A query parameter as an operation describes it.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) required: bool,
    /// The schema that the value, read by its kind, must meet.
    pub(super) schema: String,
    kind: Kind,
}

/// How the text of a query value turns into JSON.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Boolean,
    List,
}

impl Parameter {
    /// Reads one entry of an operation's `parameters`. `described` is its schema with the reference resolved, `schema` the name of that
    /// schema in the table of schemas.
    pub(super) fn new(parameter: &Value, described: &Value, schema: String) -> Self {
        let kind = match described["type"].as_str() {
            Some("integer") => Kind::Integer,
            Some("boolean") => Kind::Boolean,
            Some("array") => Kind::List,
            Some(_) => Kind::Text,
            // A text or a list of ids: a list of one is as good as the text.
            None => Kind::List,
        };
        Self {
            name: parameter["name"].as_str().unwrap_or_default().to_owned(),
            required: parameter["required"] == true,
            schema,
            kind,
        }
    }

    /// The value that `query` gives this parameter, as JSON; `None` when it does not occur.
    pub(super) fn value(&self, query: &[(String, String)]) -> Option<Value> {
        let mut texts = query.iter().filter(|(name, _)| *name == self.name).map(|(_, value)| value.as_str());
        let first = texts.next()?;
        Some(match self.kind {
            Kind::Text => Value::from(first),
            Kind::Integer => first.parse::<i64>().map_or_else(|_| Value::from(first), Value::from),
            Kind::Boolean => match first {
                "true" | "True" | "1" => Value::Bool(true),
                "false" | "False" | "0" => Value::Bool(false),
                other => Value::from(other),
            },
            Kind::List => {
                std::iter::once(first).chain(texts).flat_map(|text| text.split(',')).map(Value::from).collect()
            }
        })
    }
}

/// The pairs of a query string, percent-decoded.
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}
