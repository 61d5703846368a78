//! How soon the cache answers, on one core.

use std::{collections::BTreeMap, process::Stdio, thread, time::Duration};

use anyhow::{Context, ensure};
use cache::change::Update;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use twilight_model::id::Id;

use super::{
    database::Scratch,
    guilds::{self, Session},
    lane::Lane,
    upserts::fill,
};
use crate::{
    Options,
    connection::Connection,
    events::count,
    names::Names,
    pace::{self, Pace, Took, micros, quantile},
    program::{Program, Programs, free_address, wait_for},
    report::median,
};

/// Guilds in the cache.
const GUILDS: u64 = 2_500;
/// Questions in a second, so many at once.
const RATE: u32 = 5_000;
const THREADS: u32 = 32;
const SECONDS: u32 = 10;
/// The server's core, and that of those who ask.
const CORES: [usize; 2] = [0, 1];
const FORMS: [(&str, &str); 2] = [("compact", cache::http::COMPACT), ("JSON", "application/json")];
const QUESTIONS: [&str; 4] = ["guild", "roles", "channels", "member"];

/// Who asks.
#[derive(clap::Args)]
pub(crate) struct AskOptions {
    #[arg(long)]
    address: String,
    #[arg(long)]
    bot: u64,
    #[arg(long)]
    guilds: u64,
    #[arg(long)]
    seconds: u32,
}

/// Microseconds of each kind of question, and of all.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Asked {
    pub(super) kinds: BTreeMap<String, Took>,
    pub(super) all: Took,
    /// The p99 of each second: what disturbs the machine for a moment spoils one of them, and the p99 of a round as a whole.
    pub(super) seconds: Vec<f64>,
}

/// Of each round.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(super) guilds: u64,
    pub(super) rate: u32,
    pub(super) cache: Asked,
    /// CPU microseconds of the cache for an answer.
    pub(super) cache_us: Vec<f64>,
    /// A server that answers everything with the same 300 bytes.
    pub(super) bare: Asked,
    pub(super) bare_us: Vec<f64>,
    /// Of the cache with these guilds.
    pub(super) resident_mb: f64,
}

pub(super) fn measure(programs: &Programs, options: &Options) -> anyhow::Result<Measured> {
    let (rounds, guilds, seconds) = if options.quick { (2, GUILDS / 10, 2) } else { (options.rounds, GUILDS, SECONDS) };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    ensure!(cores >= CORES.len(), "the cache and those who ask it need a core each");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (names, scratch) = (Names::new(), runtime.block_on(Scratch::with_schema())?);
    runtime.block_on(async { fill(&scratch.store(1).await?, session(names.bot)?, guilds).await.map(drop) })?;
    let cache = Lane::cache_by(programs.command_on(CORES[0], "cache")?, &names, &scratch.uri()?)?;
    let bare = bare(programs)?;
    let ask = |lane: &Lane, seconds: u32| -> anyhow::Result<(Asked, f64)> {
        let before = lane.program.cpu()?;
        let mut command = programs.command_on(CORES[1], "bench")?;
        command.args(["ask", "--address", &lane.address, "--bot", &names.bot.to_string()]);
        command.args(["--guilds", &guilds.to_string(), "--seconds", &seconds.to_string()]).stdout(Stdio::piped());
        let asked = serde_json::from_str(&Program::start(command)?.output()?)?;
        Ok((asked, micros(lane.program.cpu()?.saturating_sub(before)) / count(u64::from(RATE * seconds))))
    };
    ask(&cache, 1)?;
    let mut measured = Measured {
        guilds,
        rate: RATE,
        cache: Asked::default(),
        cache_us: Vec::new(),
        bare: Asked::default(),
        bare_us: Vec::new(),
        resident_mb: cache.program.memory()?.resident_mb,
    };
    for number in 0..2 * rounds {
        let ((asked, us), all, all_us) = match number % 2 {
            0 => (ask(&cache, seconds)?, &mut measured.cache, &mut measured.cache_us),
            _ => (ask(&bare, seconds)?, &mut measured.bare, &mut measured.bare_us),
        };
        all.join(asked);
        all_us.push(us);
    }
    runtime.block_on(scratch.remove())?;
    let (p99, bare) = (median(&measured.cache.all.p99), median(&measured.bare.all.p99));
    eprintln!("The cache over HTTP at {RATE}/s: p99 {p99:.0} us, a bare server's {bare:.0} us");
    Ok(measured)
}

fn session(bot: u64) -> anyhow::Result<Session<'static>> {
    let bot = Id::new_checked(bot).context("a bot is never 0")?;
    Ok(Session { bot, name: "4d9a1c1e5f0b4b1f8f0f6a7a4e6f2c11", began: OffsetDateTime::now_utc() })
}

/// The same on the same core, without anything to find or to write.
fn bare(programs: &Programs) -> anyhow::Result<Lane> {
    let address = free_address()?;
    let mut command = programs.command_on(CORES[0], "bench")?;
    command.args(["upstream", "--listen", &address]);
    let mut bare = Lane { address, program: Program::start(command)? };
    let listens = || Ok(std::net::TcpStream::connect(&bare.address).is_ok());
    wait_for("a server to listen", &mut bare.program, listens)?;
    Ok(bare)
}

impl Asked {
    fn join(&mut self, round: Asked) {
        for (kind, took) in round.kinds {
            self.kinds.entry(kind).or_default().join(took);
        }
        self.all.join(round.all);
        self.seconds.extend(round.seconds);
    }
}

/// Asks each kind of question as often as the others, about one guild after the other.
pub(crate) fn run(options: &AskOptions) -> anyhow::Result<Asked> {
    let AskOptions { address, bot, guilds, seconds } = options;
    let session = session(*bot)?;
    let updates = (0..*guilds).map(|number| session.update(number)).collect::<anyhow::Result<Vec<_>>>()?;
    let kinds: Vec<_> = QUESTIONS.iter().flat_map(|question| FORMS.iter().map(move |form| (*question, form))).collect();
    let mut requests = Vec::new();
    for update in &updates {
        for (question, (_, accepted)) in &kinds {
            requests.push(request(update, question, accepted, *bot)?);
        }
    }
    drop(updates);
    let place = |call: u32| -> anyhow::Result<usize> {
        // Far apart: what was asked a moment ago lies in the processor's caches.
        let (call, guilds) = (usize::try_from(call)?, usize::try_from(*guilds)?);
        Ok(call * 7_919 % guilds * kinds.len() + call % kinds.len())
    };
    let took = pace::spin(
        Pace { rate: RATE, calls: RATE * seconds, threads: THREADS },
        async || Connection::open(address).await,
        async |connection, call| {
            let status = connection.call(&requests[place(call)?]).await?;
            ensure!(status == 200, "a question was answered {status}");
            Ok(())
        },
    );
    let took = tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(took)?;
    let mut by_kind: Vec<Vec<Duration>> = vec![Vec::new(); kinds.len()];
    for (took, call) in took.iter().zip(0..) {
        by_kind[place(call)? % kinds.len()].push(*took);
    }
    let mut asked = Asked::default();
    for second in took.chunks(usize::try_from(RATE)?) {
        let mut second = second.to_vec();
        second.sort_unstable();
        asked.seconds.push(micros(quantile(&second, 0.99)));
    }
    for ((question, (form, _)), took) in kinds.iter().zip(by_kind) {
        asked.kinds.entry(format!("{question}, {form}")).or_default().push(took);
    }
    asked.all.push(took);
    Ok(asked)
}

fn request(update: &Update, question: &str, accepted: &str, bot: u64) -> anyhow::Result<Vec<u8>> {
    let (whole, guild) = (guilds::whole(update)?, update.guild);
    let path = match question {
        "guild" => format!("/guilds/{guild}"),
        "member" => {
            let user = whole.members.last().and_then(|member| member.id()).context("a guild has no members")?;
            format!("/guilds/{guild}/members/{user}")
        }
        list => format!("/guilds/{guild}/{list}"),
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: {accepted}\r\nuser-agent: worker\r\nx-bot-id: {bot}\r\n\r\n"
    );
    Ok(request.into_bytes())
}
