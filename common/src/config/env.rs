use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsString,
    fmt, fs,
    path::Path,
};

use super::{ConfigError, Described, Invalid, Problem, Var};

/// A configuration, or a part of one, that is read from the environment.
///
/// ```
/// use std::net::SocketAddr;
/// use common::config::{Env, FromEnv, Invalid};
/// use secrecy::SecretString;
///
/// struct Config { server_addr: SocketAddr, token: SecretString }
///
/// impl FromEnv for Config {
///     fn from_env(env: &mut Env) -> Result<Self, Invalid> {
///         let server_addr = env.var("SERVER_ADDR").about("where to listen").default("127.0.0.1:8080").required();
///         let token = env.var("DISCORD_TOKEN").about("the bot's token").secret();
///         // All variables are read before the first `?`, so that every problem is found.
///         Ok(Config { server_addr: server_addr?, token: token? })
///     }
/// }
/// ```
pub trait FromEnv: Sized {
    /// Reads the variables of this part.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when a variable is missing or malformed; `env` holds what is wrong.
    fn from_env(env: &mut Env) -> Result<Self, Invalid>;
}

impl FromEnv for () {
    fn from_env(_: &mut Env) -> Result<Self, Invalid> {
        Ok(())
    }
}

/// Reads a configuration and reports all of its problems at once.
///
/// # Errors
///
/// [`ConfigError`] names every variable that is missing or malformed.
pub fn read<C: FromEnv>(env: &mut Env) -> Result<C, ConfigError> {
    let config = C::from_env(env);
    let problems = env.take_problems();
    match config {
        Ok(config) if problems.is_empty() => Ok(config),
        _ => Err(ConfigError::new(problems)),
    }
}

/// The environment variables, the problems found in them, and a description of each that was asked for.
#[derive(Default)]
pub struct Env {
    values: BTreeMap<String, String>,
    /// Variables whose value is no text: a problem of those that are asked for.
    no_text: BTreeSet<String>,
    problems: Vec<Problem>,
    described: Vec<Described>,
}

impl Env {
    /// The variables of this process over those of the file `.env` in the working directory, if there is one.
    ///
    /// The process's own environment is not changed.
    #[must_use]
    pub fn load() -> Env {
        let mut loaded = Env::default();
        loaded.add_file(Path::new(".env"));
        loaded.add_process(env::vars_os());
        loaded
    }

    /// The given variables and nothing else.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Env {
        let mut env = Env::default();
        for (name, value) in pairs {
            env.add(name.to_owned(), value.to_owned(), true);
        }
        env
    }

    /// Begins to read one variable.
    pub fn var(&mut self, name: &'static str) -> Var<'_> {
        Var::new(self, name)
    }

    /// Reports a problem that no single value shows, as two variables that exclude each other.
    ///
    /// `problem` is a sentence that follows the name: "must not be larger than SHARDER_TOTAL".
    pub fn invalid(&mut self, name: &'static str, problem: impl Into<String>) -> Invalid {
        self.report(Problem { variable: name.to_owned(), problem: problem.into(), about: "", example: None })
    }

    /// What has been asked for so far, in order of reading, each name once.
    #[must_use]
    pub fn described(&self) -> &[Described] {
        &self.described
    }

    pub(super) fn describe(&mut self, described: Described) {
        if !self.described.iter().any(|known| known.name == described.name) {
            self.described.push(described);
        }
    }

    pub(super) fn report(&mut self, problem: Problem) -> Invalid {
        // Two parts of a configuration may read the same variable.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        Invalid::new()
    }

    pub(crate) fn take_problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// The value of `name`, or the content of the file that `NAME_FILE` names; empty counts as unset.
    ///
    /// The error is a sentence that follows the name.
    pub(super) fn lookup(&self, name: &str) -> Result<Option<String>, String> {
        let file_variable = format!("{name}_FILE");
        if self.no_text.contains(name) {
            return Err("is not valid UTF-8".to_owned());
        }
        if self.no_text.contains(&file_variable) {
            return Err(format!("cannot be read: {file_variable} is not valid UTF-8"));
        }
        match (self.values.get(name), self.values.get(&file_variable)) {
            (Some(_), Some(_)) => Err(format!("is set, and {file_variable} too: set only one")),
            (Some(value), None) => Ok(Some(value.clone())),
            (None, None) => Ok(None),
            (None, Some(path)) => match fs::read_to_string(path) {
                Ok(content) => {
                    // Editors and `echo` end a file with a line break that is no part of a secret.
                    let value = content.trim_end_matches(['\r', '\n']);
                    Ok(Some(value.to_owned()).filter(|value| !value.is_empty()))
                }
                Err(error) => Err(format!("cannot be read from the file that {file_variable} names ({path}): {error}")),
            },
        }
    }

    fn add_process(&mut self, variables: impl Iterator<Item = (OsString, OsString)>) {
        // A name that is no text is none of ours.
        for (name, value) in variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value))) {
            match value.into_string() {
                Ok(value) => self.add(name, value, true),
                Err(_) => {
                    self.no_text.insert(name);
                }
            }
        }
    }

    fn add(&mut self, name: String, value: String, overrides: bool) {
        if value.is_empty() {
            // An empty variable of the process hides the one in `.env`: compose files unset like that.
            if overrides {
                self.values.remove(&name);
            }
        } else if overrides || !self.values.contains_key(&name) {
            self.values.insert(name, value);
        }
    }

    fn add_file(&mut self, path: &Path) {
        if !path.exists() {
            return;
        }
        let problem = match dotenvy::from_path_iter(path) {
            Ok(entries) => {
                let mut malformed = None;
                for (index, entry) in entries.enumerate() {
                    match entry {
                        Ok((name, value)) => self.add(name, value, false),
                        // The error's text quotes the line, which may hold a secret.
                        Err(_) => malformed = malformed.or(Some(index + 1)),
                    }
                }
                malformed.map(|number| format!("entry {number} is not of the form NAME=value"))
            }
            Err(error) => Some(format!("cannot be read: {error}")),
        };
        if let Some(problem) = problem {
            self.report(Problem { variable: path.display().to_string(), problem, about: "", example: None });
        }
    }
}

/// Values may be secrets: only the names are shown.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("names", &self.values.keys())
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::ffi::OsStringExt};

    use secrecy::{ExposeSecret, SecretString};

    use super::*;

    struct Two {
        addr: std::net::SocketAddr,
        token: SecretString,
    }

    impl FromEnv for Two {
        fn from_env(env: &mut Env) -> Result<Self, Invalid> {
            let addr = env.var("SERVER_ADDR").about("where to listen").default("127.0.0.1:8080").required();
            let token = env.var("BOT_TOKEN").about("the bot's token").secret();
            Ok(Two { addr: addr?, token: token? })
        }
    }

    fn file(content: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let mut env = Env::from_pairs([("SERVER_ADDR", "nowhere")]);
        let error = read::<Two>(&mut env).err().unwrap();
        assert_eq!(error.problems().len(), 2);
        let text = error.to_string();
        assert!(text.contains("SERVER_ADDR") && text.contains("nowhere"), "{text}");
        assert!(text.contains("127.0.0.1:8080"), "an example is shown: {text}");
        assert!(text.contains("BOT_TOKEN") && text.contains("the bot's token"), "{text}");
    }

    #[test]
    fn a_default_applies_when_the_variable_is_empty() {
        let mut env = Env::from_pairs([("SERVER_ADDR", ""), ("BOT_TOKEN", "t")]);
        let config = read::<Two>(&mut env).unwrap();
        assert_eq!(config.addr.port(), 8080);
        assert_eq!(config.token.expose_secret(), "t");
    }

    #[test]
    fn a_file_holds_the_value() {
        let secret = file("from-the-file\n");
        let mut env = Env::from_pairs([("BOT_TOKEN_FILE", secret.path().to_str().unwrap())]);
        let config = read::<Two>(&mut env).unwrap();
        assert_eq!(config.token.expose_secret(), "from-the-file");
    }

    #[test]
    fn a_value_and_a_file_exclude_each_other() {
        let secret = file("a");
        let mut env = Env::from_pairs([("BOT_TOKEN", "b"), ("BOT_TOKEN_FILE", secret.path().to_str().unwrap())]);
        let text = read::<Two>(&mut env).err().unwrap().to_string();
        assert!(text.contains("set only one"), "{text}");
    }

    #[test]
    fn a_file_that_is_missing_is_a_problem() {
        let mut env = Env::from_pairs([("BOT_TOKEN_FILE", "/nonexistent/secret")]);
        let text = read::<Two>(&mut env).err().unwrap().to_string();
        assert!(text.contains("BOT_TOKEN_FILE") && text.contains("/nonexistent/secret"), "{text}");
    }

    #[test]
    fn the_process_overrides_the_dotenv_file() {
        let dotenv = file("A=file\nB=file\nC=file\n");
        let mut env = Env::default();
        env.add_file(dotenv.path());
        env.add("A".into(), "process".into(), true);
        env.add("B".into(), String::new(), true);
        assert_eq!(env.lookup("A").unwrap().as_deref(), Some("process"));
        assert_eq!(env.lookup("B").unwrap(), None);
        assert_eq!(env.lookup("C").unwrap().as_deref(), Some("file"));
    }

    #[test]
    fn a_value_that_is_no_text_is_a_problem_of_its_variable_and_of_no_other() {
        let no_text = || OsString::from_vec(b"hunter2\xff".to_vec());
        let mut env = Env::from_pairs([("SERVER_ADDR", "127.0.0.1:1")]);
        env.add_process([("BOT_TOKEN".into(), no_text()), ("SOMEBODY_ELSES".into(), no_text())].into_iter());
        let error = read::<Two>(&mut env).err().unwrap();
        assert_eq!(error.problems().len(), 1, "{error}");
        let text = error.to_string();
        assert!(text.contains("BOT_TOKEN is not valid UTF-8") && !text.contains("hunter2"), "{text}");

        let mut env = Env::from_pairs([]);
        env.add_process([("BOT_TOKEN_FILE".into(), no_text())].into_iter());
        let text = read::<Two>(&mut env).err().unwrap().to_string();
        assert!(text.contains("BOT_TOKEN_FILE is not valid UTF-8"), "{text}");
    }

    #[test]
    fn a_malformed_dotenv_file_is_a_problem_without_its_content() {
        let dotenv = file("GOOD=1\nhunter2 is the password\n");
        let mut env = Env::default();
        env.add_file(dotenv.path());
        let text = read::<()>(&mut env).err().unwrap().to_string();
        assert!(text.contains("entry 2"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn reading_a_variable_twice_reports_and_describes_it_once() {
        let mut env = Env::from_pairs([]);
        let _ = env.var("TWICE").about("a number").required::<u8>();
        let _ = env.var("TWICE").about("a number").required::<u8>();
        assert_eq!(env.described().len(), 1);
        assert_eq!(env.take_problems().len(), 1);
    }
}
