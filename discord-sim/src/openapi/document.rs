use axum::http::Method;
use serde_json::{Map, Value};

use super::{
    patches,
    query::Parameter,
    routes::{Route, Routes},
    schemas::Schemas,
};

/// Discord's description as published; see `openapi/README.md`.
const DOCUMENT: &str = include_str!("../../openapi/openapi.json");

/// The prefix of a reference to a schema.
const SCHEMAS: &str = "#/components/schemas/";

/// The description in the form that the judge reads.
pub(super) struct Document {
    pub(super) routes: Routes,
    pub(super) schemas: Schemas,
}

/// One method on one route template.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) query: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
}

/// What a request may carry.
pub(super) struct Body {
    pub(super) required: bool,
    /// Media types, lower case, without parameters.
    pub(super) media: Vec<String>,
    /// The schema of the JSON body, which is also that of a form's `payload_json`.
    pub(super) schema: String,
}

/// One described answer.
pub(super) struct Answer {
    /// `200`, `4XX` or `default`.
    pub(super) status: String,
    pub(super) content: Content,
}

/// What an answer carries.
pub(super) enum Content {
    /// JSON that meets the schema of this name.
    Json(String),
    /// Something that is not JSON: an image or a table.
    Other,
    /// Nothing.
    Empty,
}

impl Document {
    /// Reads the document that is compiled in.
    pub(super) fn load() -> anyhow::Result<Self> {
        let mut document: Value = serde_json::from_str(DOCUMENT)?;
        let Value::Object(paths) = document["paths"].take() else { anyhow::bail!("the description has no paths") };
        let Value::Object(schemas) = document["components"]["schemas"].take() else {
            anyhow::bail!("the description has no schemas")
        };

        let mut reader = Reader { schemas, shared_answers: document["components"]["responses"].take() };
        drop(document);
        patches::widen(&mut reader.schemas);
        let routes =
            paths.iter().map(|(template, item)| reader.route(template, item)).collect::<anyhow::Result<Vec<_>>>()?;
        for schema in reader.schemas.values_mut() {
            patches::simplify(schema);
        }
        Ok(Self { routes: Routes::new(routes), schemas: Schemas::new(reader.schemas)? })
    }
}

impl Operation {
    /// The description of an answer with `status`: the status itself, or its class, or the default.
    pub(super) fn answer(&self, status: u16) -> Option<&Answer> {
        let exact = status.to_string();
        let class = format!("{}XX", status / 100);
        [exact.as_str(), class.as_str(), "default"]
            .into_iter()
            .find_map(|key| self.answers.iter().find(|answer| answer.status == key))
    }
}

/// Collects the schemas that stand inside operations beside the named ones.
struct Reader {
    schemas: Map<String, Value>,
    shared_answers: Value,
}

impl Reader {
    fn route(&mut self, template: &str, item: &Value) -> anyhow::Result<Route> {
        let mut operations = Vec::new();
        for (method, operation) in item.as_object().into_iter().flatten().filter(|(key, _)| *key != "parameters") {
            operations.push(self.operation(method, operation)?);
        }
        let parameters = item["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Route::new(template, parameters, operations))
    }

    fn operation(&mut self, method: &str, operation: &Value) -> anyhow::Result<Operation> {
        let id = operation["operationId"].as_str().unwrap_or_default();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let query = parameters
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| {
                let schema = self.named(
                    format!("{id} query {}", parameter["name"].as_str().unwrap_or_default()),
                    &parameter["schema"],
                );
                Parameter::new(parameter, &self.schemas[&schema], schema)
            })
            .collect();
        let body = operation.get("requestBody").map(|body| self.body(id, body));
        let answers = operation["responses"].as_object().into_iter().flatten();
        let answers = answers.map(|(status, answer)| self.answer(id, status, answer)).collect();
        Ok(Operation { method: Method::from_bytes(method.to_uppercase().as_bytes())?, query, body, answers })
    }

    fn body(&mut self, id: &str, body: &Value) -> Body {
        let content = body["content"].as_object().cloned().unwrap_or_default();
        let media = content.keys().cloned().collect();
        // Where both are given, the form is the JSON body plus files, and the files are not judged here.
        let schema =
            content.get("application/json").or_else(|| content.values().next()).map(|media| media["schema"].clone());
        let schema = patches::request(schema.unwrap_or(Value::Bool(true)), &self.schemas);
        Body { required: body["required"] == true, media, schema: self.named(format!("{id} request"), &schema) }
    }

    fn answer(&mut self, id: &str, status: &str, answer: &Value) -> Answer {
        let shared = answer["$ref"]
            .as_str()
            .and_then(|reference| reference.rsplit('/').next())
            .map(|name| self.shared_answers[name].clone());
        let content = shared.as_ref().unwrap_or(answer)["content"].clone();
        let content = match &content["application/json"]["schema"] {
            Value::Null if content.is_object() => Content::Other,
            Value::Null => Content::Empty,
            schema => Content::Json(self.named(format!("{id} {status}"), schema)),
        };
        Answer { status: status.to_owned(), content }
    }

    /// The name of `schema`: the one it refers to, or `name`, under which it is then entered.
    fn named(&mut self, name: String, schema: &Value) -> String {
        if let Some(known) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix(SCHEMAS)) {
            return known.to_owned();
        }
        self.schemas.insert(name.clone(), schema.clone());
        name
    }
}
