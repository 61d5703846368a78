use std::{collections::HashMap, sync::OnceLock};

use jsonschema::{Draft, Registry, Validator};
use serde_json::{Map, Value, json};

use super::routes::is_snowflake;

/// The name under which the description is known to the validator; nothing is ever fetched from there.
const BASE: &str = "https://discord.com/api/v10/openapi.json";

/// The schemas of the description, each compiled on its first use.
///
/// Compiling all 539 at start would cost every test more than it needs; most tests touch a dozen.
pub(super) struct Schemas {
    registry: Registry<'static>,
    compiled: HashMap<String, OnceLock<Validator>>,
}

impl Schemas {
    /// `schemas` maps names to schemas that refer to each other as `#/components/schemas/NAME`.
    pub(super) fn new(schemas: Map<String, Value>) -> anyhow::Result<Self> {
        let compiled = schemas.keys().map(|name| (name.clone(), OnceLock::new())).collect();
        let document = json!({ "components": { "schemas": schemas } });
        let registry = Registry::new().draft(Draft::Draft202012).add(BASE, document)?.prepare()?;
        Ok(Self { registry, compiled })
    }

    /// The validator of the schema called `name`.
    pub(super) fn validator(&self, name: &str) -> anyhow::Result<&Validator> {
        let Some(cell) = self.compiled.get(name) else { anyhow::bail!("the description has no schema {name}") };
        if let Some(validator) = cell.get() {
            return Ok(validator);
        }
        let validator = self.compile(name)?;
        Ok(cell.get_or_init(|| validator))
    }

    fn compile(&self, name: &str) -> anyhow::Result<Validator> {
        let pointer = name.replace('~', "~0").replace('/', "~1").replace(' ', "%20");
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(&self.registry)
            .should_validate_formats(true)
            .with_format("snowflake", is_snowflake)
            .with_format("uri", is_uri)
            .build(&json!({ "$ref": format!("{BASE}#/components/schemas/{pointer}") }))
            .map_err(|error| anyhow::anyhow!("the schema {name} does not compile: {error}"))
    }
}

/// Whether `text` is an absolute URI as browsers read it.
///
/// More lenient than RFC 3986, as Discord is: addresses with letters beyond ASCII pass.
fn is_uri(text: &str) -> bool {
    url::Url::parse(text).is_ok()
}
