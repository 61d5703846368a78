//! The documentation of a configuration, made from the code that reads it.

use std::fmt::Write;

use super::{Env, FromEnv};

/// One variable as the configuration reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The name of the variable.
    pub name: &'static str,
    /// Another variable that is read when this one is unset.
    pub fallback: Option<&'static str>,
    /// What it is, in one line.
    pub about: &'static str,
    /// The value when it is unset.
    pub default: Option<&'static str>,
    /// Whether it must be set.
    pub required: bool,
    /// Whether its value is never shown.
    pub secret: bool,
    /// A value that would be right.
    pub example: Option<&'static str>,
}

/// The variables of `C`, in order of reading.
#[must_use]
pub fn describe<C: FromEnv>() -> Vec<Described> {
    let mut env = Env::default();
    // An empty environment is rarely valid; the variables are described before that is noticed.
    let _ = C::from_env(&mut env);
    env.described().to_vec()
}

/// A Markdown table of the variables.
#[must_use]
pub fn table(described: &[Described]) -> String {
    let mut table = "| variable | what | default |\n|---|---|---|\n".to_owned();
    for variable in described {
        let fallback = variable.fallback.map(|name| format!(", else `{name}`")).unwrap_or_default();
        let secret = if variable.secret { " (secret)" } else { "" };
        let default = match (variable.default, variable.required) {
            (Some(default), _) => format!("`{default}`"),
            (None, true) => "required".to_owned(),
            (None, false) => "-".to_owned(),
        };
        let _ = writeln!(table, "| `{}`{fallback} | {}{secret} | {default} |", variable.name, variable.about);
    }
    table
}

/// For the test of each service: its README has every variable of `C` with its default, and no others.
///
/// # Panics
///
/// Where it has not; with the table that it should have.
pub fn assert_told<C: FromEnv>(readme: &str) {
    let table = table(&describe::<C>());
    assert_eq!(rows(readme), rows(&table), "the README should have\n{table}");
}

/// Name and default of each row of a README's tables of variables; what a variable is may be said in other words there.
fn rows(markdown: &str) -> Vec<(&str, &str)> {
    let rows = markdown.lines().filter(|line| line.starts_with("| `") && line.split(" | ").count() == 3);
    rows.filter_map(|row| Some((row.split(" | ").next()?, row.split(" | ").last()?))).collect()
}

/// A file `.env.example` with the variables: the required ones to fill in, the others commented out.
#[must_use]
pub fn dotenv(described: &[Described]) -> String {
    let mut file = String::new();
    for variable in described {
        if !file.is_empty() {
            file.push('\n');
        }
        let comment = if variable.required { "" } else { "# " };
        let value = variable.default.or(variable.example).unwrap_or_default();
        let _ = writeln!(file, "# {}\n{comment}{}={value}", variable.about, variable.name);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Invalid, crypto::Vault, discord::DiscordConfig, redis::RedisConfig, telemetry::Telemetry};

    struct Sample;

    impl FromEnv for Sample {
        fn from_env(env: &mut Env) -> Result<Self, Invalid> {
            let addr = env.var("SERVER_ADDR").about("where to listen").default("127.0.0.1:1").required::<String>();
            let token = env.var("BOT_TOKEN").or("TOKEN").about("the bot's token").secret();
            addr.and(token.map(|_| Sample))
        }
    }

    #[test]
    fn the_table_shows_defaults_and_secrets() {
        let table = table(&describe::<Sample>());
        assert!(table.contains("| `SERVER_ADDR` | where to listen | `127.0.0.1:1` |"), "{table}");
        assert!(table.contains("| `BOT_TOKEN`, else `TOKEN` | the bot's token (secret) | required |"), "{table}");
    }

    #[test]
    fn the_dotenv_file_comments_out_what_has_a_default() {
        let file = dotenv(&describe::<Sample>());
        assert_eq!(file, "# where to listen\n# SERVER_ADDR=127.0.0.1:1\n\n# the bot's token\nBOT_TOKEN=\n");
    }

    #[test]
    fn the_readme_has_the_variables_that_services_share() {
        let readme = include_str!("../../README.md");
        let mut clients = describe::<RedisConfig>();
        clients.extend(describe::<DiscordConfig>());
        for table in [table(&describe::<Telemetry>()), table(&clients), table(&describe::<Vault>())] {
            assert!(readme.contains(&table), "the README lacks:\n{table}");
        }
    }
}
