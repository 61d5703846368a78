use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use crate::ApiError;

/// A refusal of a body: Discord's code, its words and, for 50035, the tree of what is wrong where.
#[derive(Clone, Debug, PartialEq)]
pub struct FormError {
    /// Discord's JSON error code: 50035 for a form error.
    pub code: u64,
    /// Discord's words for the code.
    pub message: String,
    /// The fields at fault, nested as the body is, each with a list `_errors`.
    pub errors: Option<Value>,
}

impl FormError {
    /// An error without a tree.
    pub(super) fn plain(code: u64, message: &str) -> Self {
        Self { code, message: message.to_owned(), errors: None }
    }

    /// The body that Discord sends with status 400.
    pub fn body(&self) -> Value {
        let mut body = json!({ "code": self.code, "message": self.message });
        if let Some(errors) = &self.errors {
            body["errors"] = errors.clone();
        }
        body
    }
}

impl From<FormError> for ApiError {
    fn from(error: FormError) -> Self {
        match error.errors {
            Some(errors) => Self::form(errors),
            None => Self::bad(error.code, &error.message),
        }
    }
}

/// A place in a body; the root is the body itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Place(Vec<String>);

impl Place {
    /// The field or item `key` of this place.
    pub(super) fn at(&self, key: impl ToString) -> Self {
        let mut path = self.0.clone();
        path.push(key.to_string());
        Self(path)
    }
}

/// Collects what is wrong with a body.
#[derive(Default)]
pub(super) struct Form {
    errors: Map<String, Value>,
}

impl Form {
    /// Enters an error at `place`.
    pub(super) fn add(&mut self, place: &Place, code: &str, message: impl Into<String>) {
        let mut node = &mut self.errors;
        for key in &place.0 {
            let child = node.entry(key).or_insert_with(|| json!({}));
            let Value::Object(fields) = child else { return };
            node = fields;
        }
        let error = json!({ "code": code, "message": message.into() });
        if let Value::Array(list) = node.entry("_errors").or_insert_with(|| json!([])) {
            list.push(error);
        }
    }

    /// The error of the body, if it has one.
    pub(super) fn finish(self) -> Result<(), FormError> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let errors = Some(Value::Object(self.errors));
        Err(FormError { code: 50035, message: "Invalid Form Body".to_owned(), errors })
    }

    pub(super) fn required(&mut self, place: &Place) {
        self.add(place, "BASE_TYPE_REQUIRED", "This field is required");
    }

    /// Checks a number of characters or of items.
    pub(super) fn length(&mut self, place: &Place, length: usize, allowed: RangeInclusive<usize>) {
        if allowed.contains(&length) {
            return;
        }
        let (min, max) = allowed.into_inner();
        if min == 0 {
            self.add(place, "BASE_TYPE_MAX_LENGTH", format!("Must be {max} or fewer in length."));
        } else {
            self.add(place, "BASE_TYPE_BAD_LENGTH", format!("Must be between {min} and {max} in length."));
        }
    }

    /// Checks the text in `key`, which may be missing or null.
    pub(super) fn text<'a>(
        &mut self,
        object: &'a Value,
        place: &Place,
        key: &str,
        allowed: RangeInclusive<usize>,
    ) -> Option<&'a str> {
        match &object[key] {
            Value::Null => None,
            Value::String(text) => {
                self.length(&place.at(key), text.chars().count(), allowed);
                Some(text)
            }
            other => {
                self.add(&place.at(key), "STRING_TYPE_CONVERT", format!("Could not interpret \"{other}\" as string."));
                None
            }
        }
    }

    /// Checks the text in `key`, which must be there.
    pub(super) fn required_text<'a>(
        &mut self,
        object: &'a Value,
        place: &Place,
        key: &str,
        allowed: RangeInclusive<usize>,
    ) -> Option<&'a str> {
        if object[key].is_null() {
            self.required(&place.at(key));
        }
        self.text(object, place, key, allowed)
    }

    /// The items of the list in `key`; none when it is missing or null.
    pub(super) fn list<'a>(&mut self, object: &'a Value, place: &Place, key: &str) -> &'a [Value] {
        match &object[key] {
            Value::Array(items) => items,
            Value::Null => &[],
            _ => {
                self.add(&place.at(key), "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
                &[]
            }
        }
    }

    /// Checks the whole number in `key`, which may be missing or null.
    pub(super) fn number(
        &mut self,
        object: &Value,
        place: &Place,
        key: &str,
        allowed: RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = object[key].as_i64()?;
        if value < *allowed.start() {
            self.add(
                &place.at(key),
                "NUMBER_TYPE_MIN",
                format!("int value should be greater than or equal to {}.", allowed.start()),
            );
        } else if value > *allowed.end() {
            self.add(
                &place.at(key),
                "NUMBER_TYPE_MAX",
                format!("int value should be less than or equal to {}.", allowed.end()),
            );
        }
        Some(value)
    }

    /// Checks that the lower bound in `low` does not exceed the upper one in `high`.
    pub(super) fn ordered(&mut self, object: &Value, place: &Place, low: &str, high: &str) {
        if let (Some(least), Some(most)) = (object[low].as_f64(), object[high].as_f64())
            && least > most
        {
            self.add(&place.at(low), "NUMBER_TYPE_MAX", format!("{low} should be less than or equal to {high}."));
        }
    }
}

/// The code at a dotted path of the error's tree, for tests.
#[cfg(test)]
#[track_caller]
pub(super) fn assert_refused(result: Result<(), FormError>, path: &str, code: &str) {
    let error = result.expect_err("the body should be refused");
    assert_eq!(error.code, 50035, "{error:?}");
    let tree = error.errors.unwrap_or_default();
    let found = path.split('.').filter(|part| !part.is_empty()).fold(&tree, |node, part| &node[part]);
    assert_eq!(found["_errors"][0]["code"], code, "at {path} in {tree}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_rendered_as_discord_documents_it() {
        let mut form = Form::default();
        let row = Place::default().at("components").at(0);
        form.add(&row, "FIRST", "one");
        form.add(&row, "SECOND", "two");
        form.required(&Place::default().at("name"));
        let error = form.finish().unwrap_err();
        let expected = json!({
            "code": 50035,
            "message": "Invalid Form Body",
            "errors": {
                "components": { "0": { "_errors": [{ "code": "FIRST", "message": "one" }, { "code": "SECOND", "message": "two" }] } },
                "name": { "_errors": [{ "code": "BASE_TYPE_REQUIRED", "message": "This field is required" }] },
            },
        });
        assert_eq!(error.body(), expected);
        assert_eq!(ApiError::from(error).body()["errors"], expected["errors"]);
    }

    #[test]
    fn an_error_of_the_whole_body_stands_at_the_root() {
        let mut form = Form::default();
        form.add(&Place::default(), "APPLICATION_COMMAND_TOO_LARGE", "x");
        assert_refused(form.finish(), "", "APPLICATION_COMMAND_TOO_LARGE");
    }

    #[test]
    fn a_length_without_a_lower_bound_names_only_the_upper_one() {
        let mut form = Form::default();
        form.length(&Place::default().at("a"), 6, 0..=5);
        form.length(&Place::default().at("b"), 6, 1..=5);
        let errors = form.finish().unwrap_err().errors.unwrap();
        assert_eq!(errors["a"]["_errors"][0]["message"], "Must be 5 or fewer in length.");
        assert_eq!(errors["b"]["_errors"][0]["message"], "Must be between 1 and 5 in length.");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused() {
        let mut form = Form::default();
        let body = json!({ "name": 5, "list": "x" });
        form.text(&body, &Place::default(), "name", 0..=5);
        form.list(&body, &Place::default(), "list");
        let errors = form.finish().unwrap_err().errors.unwrap();
        assert_eq!(errors["name"]["_errors"][0]["code"], "STRING_TYPE_CONVERT");
        assert_eq!(errors["list"]["_errors"][0]["code"], "LIST_TYPE_CONVERT");
    }
}
