use std::fmt::Write;

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

use super::mismatch::shorten;

/// The most findings that one body yields; after a few, more of them only hide the first.
const MAX_FINDINGS: usize = 5;

/// The most characters of a value or of a list of options in a text.
const MAX_VALUE: usize = 80;

/// One error of a body, at its deepest relevant place.
#[derive(Debug)]
pub(super) struct Finding {
    /// JSON pointer into the body.
    pub(super) pointer: String,
    pub(super) detail: String,
}

/// What is wrong with `body`, empty when nothing is.
pub(super) fn findings(validator: &Validator, body: &Value) -> Vec<Finding> {
    // The plain answer is several times as fast as the walk that collects errors.
    if validator.is_valid(body) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for error in validator.iter_errors(body) {
        explain(&error, &mut findings);
    }
    findings.dedup_by(|a, b| a.pointer == b.pointer && a.detail == b.detail);
    findings.truncate(MAX_FINDINGS);
    findings
}

fn explain(error: &ValidationError<'_>, findings: &mut Vec<Finding>) {
    let pointer = error.instance_path().as_str();
    if let ValidationErrorKind::AnyOf { context } = error.kind() {
        match meant(context, pointer) {
            Some(branch) => branch.iter().for_each(|error| explain(error, findings)),
            None => findings.push(outside(error, context, pointer)),
        }
        return;
    }
    findings.push(Finding { pointer: pointer.to_owned(), detail: describe(error) });
}

/// The branch that the body was most likely meant to be: not one of another type, and then the one with the fewest and deepest errors.
fn meant<'a>(
    branches: &'a [Vec<ValidationError<'static>>],
    pointer: &str,
) -> Option<&'a Vec<ValidationError<'static>>> {
    let candidates = branches.iter().filter(|branch| !branch.iter().any(|error| is_of_another_type(error, pointer)));
    candidates.min_by_key(|branch| {
        let depth = |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
        let strangers: usize = branch.iter().map(strangers).sum();
        (strangers, branch.len(), usize::MAX - branch.iter().map(depth).max().unwrap_or(0))
    })
}

/// How many properties of the body are none of the branch's.
fn strangers(error: &ValidationError<'_>) -> usize {
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected.len(),
        _ => 0,
    }
}

/// Whether the error says that the value at `pointer` is another kind of thing than the branch describes.
fn is_of_another_type(error: &ValidationError<'_>, pointer: &str) -> bool {
    let place = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::Type { .. } => place == pointer,
        ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => {
            place == pointer
                || place.strip_prefix(pointer).is_some_and(|rest| rest == "/type" || rest == "/trigger_type")
        }
        ValidationErrorKind::Required { property } => place == pointer && property == "type",
        ValidationErrorKind::AnyOf { context } => place == pointer && meant(context, pointer).is_none(),
        _ => false,
    }
}

/// The text for a value that no branch knows by its type.
fn outside(error: &ValidationError<'_>, branches: &[Vec<ValidationError<'static>>], pointer: &str) -> Finding {
    let mut told = Told::default();
    for error in branches.iter().flatten() {
        told.add(error, pointer);
    }
    let instance = error.instance();
    if told.missing_type && instance.is_object() && instance.get("type").is_none() {
        return Finding { pointer: pointer.to_owned(), detail: "type is missing".to_owned() };
    }
    if let (true, Some(value)) = (!told.tags.is_empty(), instance.get("type")) {
        return Finding {
            pointer: format!("{pointer}/type"),
            detail: format!("{} is none of {}", show(value), list(&told.tags)),
        };
    }
    let detail = if told.values.is_empty() {
        told.expected.retain(|kind| kind != "null");
        told.expected.dedup();
        format!("{} is not {}", show(instance), shorten(&told.expected.join(" or "), MAX_VALUE))
    } else {
        format!("{} is none of {}", show(instance), list(&told.values))
    };
    Finding { pointer: pointer.to_owned(), detail }
}

/// What the branches of a choice expected.
#[derive(Default)]
struct Told {
    /// Values of the property `type`.
    tags: Vec<Value>,
    /// Values of the thing itself.
    values: Vec<Value>,
    /// JSON types.
    expected: Vec<String>,
    missing_type: bool,
}

impl Told {
    fn add(&mut self, error: &ValidationError<'_>, pointer: &str) {
        let here = error.instance_path().as_str() == pointer;
        match error.kind() {
            ValidationErrorKind::Type { .. } if here => self.expected.push(expected_type(error)),
            ValidationErrorKind::Enum { options } => {
                let options = options.as_array().cloned().unwrap_or_default();
                if here {
                    self.values.extend(options);
                } else {
                    self.tags.extend(options);
                }
            }
            ValidationErrorKind::Required { property } if here && property == "type" => {
                self.missing_type = true;
            }
            ValidationErrorKind::AnyOf { context } if here => {
                context.iter().flatten().for_each(|error| self.add(error, pointer));
            }
            _ => {}
        }
    }
}

fn describe(error: &ValidationError<'_>) -> String {
    let value = show(error.instance());
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            format!("{} is missing", property.as_str().unwrap_or_default())
        }
        ValidationErrorKind::Type { .. } => format!("{value} is not {}", expected_type(error)),
        ValidationErrorKind::Enum { options } => {
            format!("{value} is none of {}", list(options.as_array().map(Vec::as_slice).unwrap_or_default()))
        }
        ValidationErrorKind::Constant { expected_value } => {
            format!("{value} is not {expected_value}")
        }
        ValidationErrorKind::Format { format } => format!("{value} is no {format}"),
        ValidationErrorKind::Pattern { pattern } => format!("{value} does not match {pattern}"),
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!("unknown here: {}", shorten(&unexpected.join(", "), MAX_VALUE))
        }
        ValidationErrorKind::MaxLength { limit } => {
            format!("{} characters, at most {limit}: {value}", characters(error.instance()))
        }
        ValidationErrorKind::MinLength { limit } => {
            format!("{} characters, at least {limit}: {value}", characters(error.instance()))
        }
        ValidationErrorKind::MaxItems { limit } => {
            format!("{} items, at most {limit}", items(error.instance()))
        }
        ValidationErrorKind::MinItems { limit } => {
            format!("{} items, at least {limit}", items(error.instance()))
        }
        ValidationErrorKind::Maximum { limit } => format!("{value} is greater than {limit}"),
        ValidationErrorKind::Minimum { limit } => format!("{value} is less than {limit}"),
        ValidationErrorKind::UniqueItems => "an item occurs twice".to_owned(),
        _ => error.masked_with(value).to_string(),
    }
}

fn expected_type(error: &ValidationError<'_>) -> String {
    use jsonschema::{JsonType, error::TypeKind};
    match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => kind.as_str().to_owned(),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => {
            let names: Vec<_> = kinds.iter().filter(|kind| *kind != JsonType::Null).map(JsonType::as_str).collect();
            names.join(" or ")
        }
        _ => String::new(),
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(fields) => {
            let names = fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            format!("an object of {{{}}}", shorten(&names, MAX_VALUE))
        }
        value => shorten(&value.to_string(), MAX_VALUE),
    }
}

fn list(values: &[Value]) -> String {
    let mut seen: Vec<&Value> = Vec::new();
    let mut text = String::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
            let separator = if text.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator}{value}");
        }
    }
    shorten(&text, MAX_VALUE)
}

fn characters(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

fn items(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}
