use std::collections::HashSet;

use serde_json::Value;

use super::form::{Form, FormError, Place};

const SUB_COMMAND: u64 = 1;
const SUB_COMMAND_GROUP: u64 = 2;
const STRING: u64 = 3;
const INTEGER: u64 = 4;
const NUMBER: u64 = 10;

const CHAT_INPUT: u64 = 1;

/// How many commands of each type one scope has: those for all guilds, or those of one guild.
///
/// The menus of users and messages had 5 until March 2026.
const MAX_OF_TYPE: [(u64, usize); 4] = [(CHAT_INPUT, 100), (2, 15), (3, 15), (4, 1)];

/// The most characters of a command with all that is in it.
const MAX_SIZE: usize = 8000;

/// The languages of Discord's client.
const LOCALES: [&str; 34] = [
    "ar", "bg", "cs", "da", "de", "el", "en-GB", "en-US", "es-419", "es-ES", "fi", "fr", "he", "hi", "hr", "hu", "id",
    "it", "ja", "ko", "lt", "nl", "no", "pl", "pt-BR", "ro", "ru", "sv-SE", "th", "tr", "uk", "vi", "zh-CN", "zh-TW",
];

/// Checks the list of all commands of a scope.
///
/// # Errors
///
/// 50035 when a command breaks a rule, 30032 when there are too many of a type.
pub fn commands(list: &[Value]) -> Result<(), FormError> {
    let mut form = Form::default();
    let mut names = HashSet::new();
    for (index, command) in list.iter().enumerate() {
        let place = Place::default().at(index);
        check(command, &place, &mut form);
        if !names.insert((kind_of(command), command["name"].as_str())) {
            form.add(
                &place.at("name"),
                "APPLICATION_COMMANDS_DUPLICATE_NAME",
                "Application command names must be unique",
            );
        }
    }
    form.finish()?;
    for (kind, max) in MAX_OF_TYPE {
        if list.iter().filter(|command| kind_of(command) == kind).count() > max {
            return Err(FormError::plain(30032, &format!("Maximum number of application commands reached ({max})")));
        }
    }
    Ok(())
}

/// Checks one command.
///
/// # Errors
///
/// 50035 when a field breaks a rule.
pub fn command(body: &Value) -> Result<(), FormError> {
    let mut form = Form::default();
    check(body, &Place::default(), &mut form);
    form.finish()
}

/// Checks the choices of an answer to autocomplete, the `data` of an interaction's answer of type 8.
///
/// # Errors
///
/// 50035 when there are too many choices or one breaks a rule.
pub fn choices(data: &Value) -> Result<(), FormError> {
    let mut form = Form::default();
    if data["choices"].is_null() {
        form.required(&Place::default().at("choices"));
    }
    check_choices(data, &Place::default(), None, &mut form);
    form.finish()
}

fn check(command: &Value, place: &Place, form: &mut Form) {
    let is_chat_input = kind_of(command) == CHAT_INPUT;
    name(command, place, is_chat_input, form);
    if is_chat_input {
        description(command, place, form);
        options(command, place, &[SUB_COMMAND, SUB_COMMAND_GROUP], form);
    } else {
        if command["description"].as_str().is_some_and(|text| !text.is_empty()) {
            form.add(
                &place.at("description"),
                "APPLICATION_COMMAND_INVALID_DESCRIPTION",
                "Context menu commands cannot have description",
            );
        }
        if !form.list(command, place, "options").is_empty() {
            form.add(
                &place.at("options"),
                "APPLICATION_COMMAND_INVALID_OPTIONS",
                "Context menu commands cannot have options",
            );
        }
    }
    if size(command) > MAX_SIZE {
        form.add(place, "APPLICATION_COMMAND_TOO_LARGE", format!("Command exceeds maximum size ({MAX_SIZE})"));
    }
}

/// Checks the options of a command or of one of its parts; `parts` are the kinds of parts that may stand here.
fn options(owner: &Value, place: &Place, parts: &[u64], form: &mut Form) {
    let list = form.list(owner, place, "options");
    let place = place.at("options");
    form.length(&place, list.len(), 0..=25);
    let is_part = |option: &Value| matches!(option["type"].as_u64(), Some(SUB_COMMAND | SUB_COMMAND_GROUP));
    let mixed = list.iter().any(is_part) && !list.iter().all(is_part);
    let mut names = HashSet::new();
    let mut seen_optional = false;
    for (index, option) in list.iter().enumerate() {
        let place = place.at(index);
        name(option, &place, true, form);
        description(option, &place, form);
        let named = option["name"].as_str().unwrap_or_default();
        if !names.insert(named) {
            form.add(
                &place,
                "APPLICATION_COMMAND_OPTIONS_NAME_INVALID",
                format!("Option name {named} is already used in these options"),
            );
        }
        let kind = option["type"].as_u64().unwrap_or(0);
        if is_part(option) {
            if mixed || !parts.contains(&kind) {
                let text = "Sub-command and sub-command group option types are mutually exclusive to all other types";
                form.add(&place, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", text);
            }
            options(option, &place, if kind == SUB_COMMAND_GROUP { &[SUB_COMMAND] } else { &[] }, form);
        } else {
            let required = option["required"] == true;
            if required && seen_optional {
                let text = "Required options must be placed before non-required options";
                form.add(&place, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text);
            }
            seen_optional |= !required;
            value_rules(option, kind, &place, form);
        }
    }
}

/// Checks what an option says about its value: choices, completion and bounds.
fn value_rules(option: &Value, kind: u64, place: &Place, form: &mut Form) {
    check_choices(option, place, Some(kind), form);
    let has_choices = option["choices"].as_array().is_some_and(|choices| !choices.is_empty());
    let takes_text_or_number = matches!(kind, STRING | INTEGER | NUMBER);
    if has_choices && !takes_text_or_number {
        form.add(
            &place.at("choices"),
            "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID",
            "This option type cannot have choices",
        );
    }
    if option["autocomplete"] == true && (has_choices || !takes_text_or_number) {
        let text = if has_choices {
            "An option with choices cannot have autocomplete"
        } else {
            "This option type cannot have autocomplete"
        };
        form.add(&place.at("autocomplete"), "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID", text);
    }
    form.number(option, place, "min_length", 0..=6000);
    form.number(option, place, "max_length", 1..=6000);
    form.ordered(option, place, "min_length", "max_length");
    form.ordered(option, place, "min_value", "max_value");
}

/// Checks choices, of an option of `kind` or of an answer to autocomplete.
fn check_choices(owner: &Value, place: &Place, kind: Option<u64>, form: &mut Form) {
    let list = form.list(owner, place, "choices");
    let place = place.at("choices");
    form.length(&place, list.len(), 0..=25);
    let mut names = HashSet::new();
    for (index, choice) in list.iter().enumerate() {
        let place = place.at(index);
        let name = form.required_text(choice, &place, "name", 1..=100);
        localizations(choice, &place, "name_localizations", 1..=100, false, form);
        // Suggestions may look alike; the choices of a definition may not.
        if kind.is_some() && name.is_some_and(|name| !names.insert(name)) {
            form.add(
                &place,
                "APPLICATION_COMMAND_OPTIONS_CHOICES_NAME_INVALID",
                "Choice name is already used in these choices",
            );
        }
        let value = &choice["value"];
        let fits = match kind {
            Some(STRING) => value.is_string(),
            Some(INTEGER) => value.is_i64() || value.is_u64(),
            Some(NUMBER) => value.is_number(),
            _ => value.is_string() || value.is_number(),
        };
        if value.is_null() {
            form.required(&place.at("value"));
        } else if !fits {
            form.add(
                &place.at("value"),
                "APPLICATION_COMMAND_OPTIONS_CHOICES_VALUE_INVALID",
                "The value does not fit the option's type",
            );
        } else if let Some(text) = value.as_str() {
            form.length(&place.at("value"), text.chars().count(), 0..=100);
        }
    }
}

fn name(named: &Value, place: &Place, strict: bool, form: &mut Form) {
    let name = form.required_text(named, place, "name", 1..=32);
    if strict && name.is_some_and(|name| !is_name(name)) {
        form.add(&place.at("name"), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
    }
    localizations(named, place, "name_localizations", 1..=32, strict, form);
}

fn description(described: &Value, place: &Place, form: &mut Form) {
    form.required_text(described, place, "description", 1..=100);
    localizations(described, place, "description_localizations", 1..=100, false, form);
}

fn localizations(
    owner: &Value,
    place: &Place,
    key: &str,
    allowed: std::ops::RangeInclusive<usize>,
    names: bool,
    form: &mut Form,
) {
    let place = place.at(key);
    for (locale, text) in owner[key].as_object().into_iter().flatten() {
        if !LOCALES.contains(&locale.as_str()) {
            form.add(&place.at(locale), "ENUM_TYPE_COERCE", format!("Value \"{locale}\" is not a valid enum value."));
        }
        form.text(&owner[key], &place, locale, allowed.clone());
        if names && text.as_str().is_some_and(|text| !is_name(text)) {
            form.add(&place.at(locale), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
        }
    }
}

/// Whether a slash command or an option may be called so: `^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$`, in lower case where a letter
/// has one. Marks of other scripts that Unicode counts as alphabetic pass too.
fn is_name(name: &str) -> bool {
    let fits = |letter: char| {
        letter.is_alphanumeric() || matches!(letter, '-' | '_' | '\'' | '\u{900}'..='\u{97F}' | '\u{E01}'..='\u{E5B}')
    };
    name.chars().all(|letter| fits(letter) && letter.to_lowercase().eq([letter]))
}

/// The characters of names, descriptions and values of a command and everything in it; of translations the longest counts.
fn size(part: &Value) -> usize {
    let characters = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let longest = |key: &str| {
        let translated = part[format!("{key}_localizations")].as_object().into_iter().flat_map(|texts| texts.values());
        translated.chain([&part[key]]).map(characters).max().unwrap_or(0)
    };
    let inner = ["options", "choices"].iter().flat_map(|key| part[*key].as_array().into_iter().flatten());
    longest("name") + longest("description") + characters(&part["value"]) + inner.map(size).sum::<usize>()
}

fn kind_of(command: &Value) -> u64 {
    command["type"].as_u64().unwrap_or(CHAT_INPUT)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::form::assert_refused, *};

    fn slash(options: &Value) -> Value {
        json!({ "name": "close", "description": "Close", "options": options })
    }

    fn option(kind: u64, name: &str) -> Value {
        json!({ "type": kind, "name": name, "description": "x" })
    }

    #[track_caller]
    fn refused(body: &Value, path: &str, code: &str) {
        assert_refused(command(body), path, code);
    }

    /// Refused when `key` of a string option is `value`.
    #[track_caller]
    fn refused_option(kind: u64, changes: Value, path: &str, code: &str) {
        let mut option = option(kind, "x");
        for (key, value) in changes.as_object().unwrap() {
            option[key] = value.clone();
        }
        refused(&slash(&json!([option])), &format!("options.0.{path}"), code);
    }

    #[test]
    fn names_of_slash_commands_are_lower_case_words() {
        let named = |name: &str| command(&json!({ "name": name, "description": "x" }));
        for name in ["close", "add-member_2", "schließen", "закрыть", "閉じる", "बंद", "ปิดตั๋ว", "it's", &"x".repeat(32)]
        {
            assert_eq!(named(name), Ok(()), "{name}");
        }
        for name in ["Close", "two words", "close!", "é.", "ÄRGER"] {
            assert_refused(named(name), "name", "APPLICATION_COMMAND_INVALID_NAME");
        }
        assert_refused(named(&"x".repeat(33)), "name", "BASE_TYPE_BAD_LENGTH");
        assert_refused(named(""), "name", "BASE_TYPE_BAD_LENGTH");
        refused(&json!({ "description": "x" }), "name", "BASE_TYPE_REQUIRED");
    }

    #[test]
    fn commands_of_menus_have_free_names_and_nothing_else() {
        assert_eq!(command(&json!({ "type": 2, "name": "Open Ticket For" })), Ok(()));
        assert_eq!(command(&json!({ "type": 3, "name": "Start Ticket!", "description": "" })), Ok(()));
        refused(
            &json!({ "type": 2, "name": "x", "description": "x" }),
            "description",
            "APPLICATION_COMMAND_INVALID_DESCRIPTION",
        );
        refused(
            &json!({ "type": 3, "name": "x", "options": [option(3, "x")] }),
            "options",
            "APPLICATION_COMMAND_INVALID_OPTIONS",
        );
    }

    #[test]
    fn a_slash_command_has_a_description() {
        refused(&json!({ "name": "x" }), "description", "BASE_TYPE_REQUIRED");
        refused(&json!({ "name": "x", "description": "x".repeat(101) }), "description", "BASE_TYPE_BAD_LENGTH");
    }

    #[test]
    fn there_are_at_most_25_options_with_names_that_differ() {
        let many = |count: usize| slash(&(0..count).map(|n| option(3, &format!("o{n}"))).collect());
        assert_eq!(command(&many(25)), Ok(()));
        refused(&many(26), "options", "BASE_TYPE_MAX_LENGTH");
        refused(
            &slash(&json!([option(3, "a"), option(4, "a")])),
            "options.1",
            "APPLICATION_COMMAND_OPTIONS_NAME_INVALID",
        );
    }

    #[test]
    fn required_options_come_first_in_sub_commands_too() {
        let mut needed = option(3, "b");
        needed["required"] = json!(true);
        let code = "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID";
        refused(&slash(&json!([option(3, "a"), needed])), "options.1", code);
        let part = json!({ "type": 1, "name": "p", "description": "x", "options": [option(3, "a"), needed] });
        refused(&slash(&json!([part])), "options.0.options.1", code);
        assert_eq!(command(&slash(&json!([needed, option(3, "a")]))), Ok(()));
    }

    #[test]
    fn sub_commands_are_not_mixed_and_not_nested_deeper_than_groups() {
        let code = "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID";
        refused(&slash(&json!([option(1, "a"), option(3, "b")])), "options.0", code);
        let part =
            |kind: u64, options: Value| json!({ "type": kind, "name": "p", "description": "x", "options": options });
        assert_eq!(command(&slash(&json!([part(2, json!([part(1, json!([option(3, "x")]))]))]))), Ok(()));
        refused(&slash(&json!([part(1, json!([option(1, "x")]))])), "options.0.options.0", code);
        refused(&slash(&json!([part(2, json!([part(2, json!([]))]))])), "options.0.options.0", code);
    }

    #[test]
    fn choices_are_at_most_25_and_fit_their_option() {
        let choice = |n: usize| json!({ "name": format!("c{n}"), "value": "x" });
        let many = |count: usize| (0..count).map(choice).collect::<Value>();
        refused_option(3, json!({ "choices": many(26) }), "choices", "BASE_TYPE_MAX_LENGTH");
        refused_option(
            4,
            json!({ "choices": many(1) }),
            "choices.0.value",
            "APPLICATION_COMMAND_OPTIONS_CHOICES_VALUE_INVALID",
        );
        refused_option(6, json!({ "choices": many(1) }), "choices", "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID");
        let twice = json!([choice(1), choice(1)]);
        refused_option(3, json!({ "choices": twice }), "choices.1", "APPLICATION_COMMAND_OPTIONS_CHOICES_NAME_INVALID");
        refused_option(3, json!({ "choices": [{ "name": "x" }] }), "choices.0.value", "BASE_TYPE_REQUIRED");
        let long = json!([{ "name": "x".repeat(101), "value": "x".repeat(101) }]);
        refused_option(3, json!({ "choices": long }), "choices.0.name", "BASE_TYPE_BAD_LENGTH");
        refused_option(3, json!({ "choices": long }), "choices.0.value", "BASE_TYPE_MAX_LENGTH");
        assert_eq!(
            command(&slash(
                &json!([{ "type": 10, "name": "x", "description": "x", "choices": [{ "name": "x", "value": 0.5 }] }])
            )),
            Ok(())
        );
    }

    #[test]
    fn autocomplete_excludes_choices_and_needs_text_or_number() {
        let code = "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID";
        refused_option(
            3,
            json!({ "autocomplete": true, "choices": [{ "name": "x", "value": "x" }] }),
            "autocomplete",
            code,
        );
        refused_option(6, json!({ "autocomplete": true }), "autocomplete", code);
        let allowed = json!({ "type": 3, "name": "x", "description": "x", "autocomplete": true, "choices": [] });
        assert_eq!(command(&slash(&json!([allowed]))), Ok(()));
    }

    #[test]
    fn bounds_are_in_order() {
        refused_option(4, json!({ "min_value": 5, "max_value": 4 }), "min_value", "NUMBER_TYPE_MAX");
        refused_option(3, json!({ "min_length": 5, "max_length": 4 }), "min_length", "NUMBER_TYPE_MAX");
        refused_option(3, json!({ "max_length": 6001 }), "max_length", "NUMBER_TYPE_MAX");
    }

    #[test]
    fn translations_name_a_language_and_follow_the_same_rules() {
        let translated = |key: &str, text: &str| {
            let mut body = slash(&json!([]));
            body["name_localizations"][key] = json!(text);
            body
        };
        assert_eq!(command(&translated("de", "schließen")), Ok(()));
        refused(&translated("de-DE", "schließen"), "name_localizations.de-DE", "ENUM_TYPE_COERCE");
        refused(&translated("de", "Schließen"), "name_localizations.de", "APPLICATION_COMMAND_INVALID_NAME");
        refused(&translated("de", &"x".repeat(33)), "name_localizations.de", "BASE_TYPE_BAD_LENGTH");
        let mut body = slash(&json!([]));
        body["description_localizations"] = json!({ "fr": "x".repeat(101) });
        refused(&body, "description_localizations.fr", "BASE_TYPE_BAD_LENGTH");
    }

    #[test]
    fn a_command_has_at_most_8000_characters_counting_the_longest_translation() {
        let choices = |length: usize| {
            (0..25).map(|n| json!({ "name": format!("{n:0length$}"), "value": "x" })).collect::<Value>()
        };
        let options = |count: usize| {
            (0..count)
                .map(|n| json!({ "type": 3, "name": format!("o{n}"), "description": "x", "choices": choices(100) }))
        };
        assert_eq!(command(&slash(&options(3).collect())), Ok(()));
        refused(&slash(&options(4).collect()), "", "APPLICATION_COMMAND_TOO_LARGE");
        let translated = (0..4).map(|n| {
            let list = (0..25).map(|c| json!({ "name": format!("c{c}"), "name_localizations": { "de": format!("{c:099}"), "fr": "x" }, "value": "x" }));
            json!({ "type": 3, "name": format!("o{n}"), "description": "x", "choices": list.collect::<Value>() })
        });
        refused(&slash(&translated.collect()), "", "APPLICATION_COMMAND_TOO_LARGE");
    }

    #[test]
    fn a_scope_has_100_slash_commands_and_15_of_each_menu() {
        let many = |kind: u64, count: usize| {
            let command = |n: usize| json!({ "type": kind, "name": format!("c{n}"), "description": if kind == 1 { "x" } else { "" } });
            commands(&(0..count).map(command).collect::<Vec<_>>())
        };
        for (kind, max) in [(1, 100), (2, 15), (3, 15)] {
            assert_eq!(many(kind, max), Ok(()));
            assert_eq!(many(kind, max + 1).unwrap_err().code, 30032);
        }
    }

    #[test]
    fn names_differ_within_a_type() {
        let close = slash(&json!([]));
        assert_refused(commands(&[close.clone(), close.clone()]), "1.name", "APPLICATION_COMMANDS_DUPLICATE_NAME");
        assert_eq!(commands(&[close, json!({ "type": 2, "name": "close" })]), Ok(()));
        assert_refused(
            commands(&[json!({ "name": "x", "description": "x" }), json!({ "name": "y" })]),
            "1.description",
            "BASE_TYPE_REQUIRED",
        );
    }

    #[test]
    fn autocomplete_answers_with_at_most_25_choices() {
        let many = |count: usize| json!({ "choices": vec![json!({ "name": "x", "value": "x" }); count] });
        assert_eq!(choices(&many(25)), Ok(()));
        assert_eq!(choices(&many(0)), Ok(()));
        assert_refused(choices(&many(26)), "choices", "BASE_TYPE_MAX_LENGTH");
        assert_refused(choices(&json!({})), "choices", "BASE_TYPE_REQUIRED");
        assert_refused(
            choices(&json!({ "choices": [{ "name": "", "value": 5 }] })),
            "choices.0.name",
            "BASE_TYPE_BAD_LENGTH",
        );
    }
}
