use secrecy::SecretString;

use super::{Described, Env, Invalid, Problem, Value};

/// One variable that is being read: say what it is, then how it is wanted.
#[derive(Debug)]
#[must_use = "a variable is read by `required`, `optional`, `secret` or one of their kin"]
pub struct Var<'env> {
    env: &'env mut Env,
    name: &'static str,
    fallback: Option<&'static str>,
    about: &'static str,
    example: Option<&'static str>,
    default: Option<&'static str>,
}

impl<'env> Var<'env> {
    pub(super) fn new(env: &'env mut Env, name: &'static str) -> Self {
        Var { env, name, fallback: None, about: "", example: None, default: None }
    }

    /// What the variable is, in one line.
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// A value that would be right, for error messages and documentation.
    pub fn example(mut self, example: &'static str) -> Self {
        self.example = Some(example);
        self
    }

    /// The value when the variable is unset.
    pub fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Another variable that is read when this one is unset.
    pub fn or(mut self, fallback: &'static str) -> Self {
        self.fallback = Some(fallback);
        self
    }

    /// The value, or the default.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when it is unset without a default, or malformed.
    pub fn required<T: Value>(self) -> Result<T, Invalid> {
        self.required_as(&T::expected(), T::parse)
    }

    /// The value, or the default, or `None` when it is unset.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when it is malformed.
    pub fn optional<T: Value>(self) -> Result<Option<T>, Invalid> {
        self.optional_as(&T::expected(), T::parse)
    }

    /// As [`required`](Var::required), for a type that is no [`Value`]: `parse` reads it, `expected` names what it
    /// wants ("a colour as #rrggbb"). For a [`FromStr`](std::str::FromStr) type: `|text| text.parse().ok()`.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when it is unset without a default, or malformed.
    pub fn required_as<T>(mut self, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Invalid> {
        self.describe(self.default.is_none(), false);
        match self.value()? {
            Some(text) => self.parsed(&text, expected, parse),
            None => Err(self.missing(expected)),
        }
    }

    /// As [`optional`](Var::optional), for a type that is no [`Value`]; see [`required_as`](Var::required_as).
    ///
    /// # Errors
    ///
    /// [`Invalid`] when it is malformed.
    pub fn optional_as<T>(
        mut self,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Invalid> {
        self.describe(false, false);
        match self.value()? {
            Some(text) => self.parsed(&text, expected, parse).map(Some),
            None => Ok(None),
        }
    }

    /// A secret text, which is never shown.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when it is unset.
    pub fn secret(mut self) -> Result<SecretString, Invalid> {
        self.describe(true, true);
        match self.value()? {
            Some(text) => Ok(SecretString::from(text)),
            None => Err(self.missing("a secret text")),
        }
    }

    /// A secret text, which is never shown, or `None` when it is unset.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when the file that should hold it cannot be read.
    pub fn optional_secret(mut self) -> Result<Option<SecretString>, Invalid> {
        self.describe(false, true);
        Ok(self.value()?.map(SecretString::from))
    }

    fn describe(&mut self, required: bool, secret: bool) {
        self.env.describe(Described {
            name: self.name,
            fallback: self.fallback,
            about: self.about,
            default: self.default,
            required,
            secret,
            example: self.example,
        });
    }

    fn value(&mut self) -> Result<Option<String>, Invalid> {
        for name in [Some(self.name), self.fallback].into_iter().flatten() {
            match self.env.lookup(name) {
                Ok(Some(value)) => return Ok(Some(value)),
                Ok(None) => {}
                Err(problem) => return Err(self.problem(problem)),
            }
        }
        Ok(self.default.map(str::to_owned))
    }

    fn parsed<T>(&mut self, text: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Invalid> {
        parse(text.trim()).ok_or_else(|| self.problem(format!("must be {expected}, but it is {text:?}")))
    }

    fn missing(&mut self, expected: &str) -> Invalid {
        let or = self.fallback.map(|fallback| format!(" (nor is {fallback})")).unwrap_or_default();
        self.problem(format!("is not set{or}: it must be {expected}"))
    }

    fn problem(&mut self, problem: String) -> Invalid {
        let example = self.example.or(self.default).map(str::to_owned);
        self.env.report(Problem { variable: self.name.to_owned(), problem, about: self.about, example })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::read;

    #[test]
    fn an_optional_variable_may_be_unset_but_not_malformed() {
        let mut env = Env::from_pairs([("BAD", "x")]);
        assert_eq!(env.var("NONE").optional::<u8>().unwrap(), None);
        assert!(env.var("BAD").optional::<u8>().is_err());
        let text = read::<()>(&mut env).unwrap_err().to_string();
        assert!(text.contains("BAD") && text.contains("from 0 to 255"), "{text}");
    }

    #[test]
    fn a_fallback_is_read_when_the_variable_is_unset() {
        let mut env = Env::from_pairs([("DISCORD_TOKEN", "shared")]);
        let token = env.var("SHARDER_TOKEN").or("DISCORD_TOKEN").secret().unwrap();
        assert_eq!(token.expose_secret(), "shared");
    }

    #[test]
    fn a_missing_variable_names_its_fallback() {
        let mut env = Env::from_pairs([]);
        assert!(env.var("SHARDER_TOKEN").or("DISCORD_TOKEN").secret().is_err());
        let text = read::<()>(&mut env).unwrap_err().to_string();
        assert!(text.contains("SHARDER_TOKEN") && text.contains("DISCORD_TOKEN"), "{text}");
    }

    #[test]
    fn a_secret_is_never_shown() {
        let mut env = Env::from_pairs([("BOT_TOKEN", "hunter2")]);
        let secret = env.var("BOT_TOKEN").secret().unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert!(!format!("{env:?}").contains("hunter2"), "{env:?}");
    }

    #[test]
    fn a_foreign_type_is_read_by_its_own_parser() {
        let mut env = Env::from_pairs([("INITIAL", "x")]);
        assert_eq!(env.var("INITIAL").required_as("one letter", |text| text.parse::<char>().ok()).unwrap(), 'x');
    }
}
