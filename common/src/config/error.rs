use std::fmt;

/// A part of the configuration could not be read; the [`Env`](super::Env) it came from knows why.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the configuration is invalid")]
pub struct Invalid {
    _private: (),
}

impl Invalid {
    pub(super) fn new() -> Self {
        Invalid { _private: () }
    }
}

/// What is wrong with one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The name of the variable.
    pub variable: String,
    /// What is wrong, as a sentence that follows the name. Never the value of a secret.
    pub problem: String,
    /// What the variable is for.
    pub about: &'static str,
    /// A value that would be right.
    pub example: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.variable, self.problem)?;
        if !self.about.is_empty() {
            write!(f, " ({})", self.about)?;
        }
        if let Some(example) = &self.example {
            write!(f, "; for example {}={example}", self.variable)?;
        }
        Ok(())
    }
}

/// All the problems of a configuration; displayed one per line.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the configuration has {}:{}", count(problems), lines(problems))]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        ConfigError { problems }
    }

    /// The problems in order of reading.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

fn count(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "1 problem".to_owned(),
        more => format!("{more} problems"),
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}
