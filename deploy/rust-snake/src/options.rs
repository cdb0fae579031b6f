//! The command line and the environment.

use std::env::{self, VarError};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

pub const HELP: &str = "\
A Battlesnake server that plays Ouroboros' champion: a search, and the network for the order of its moves.

Usage: rust-snake [--port N] [--model FILE] [...]     answer games until SIGTERM
       rust-snake encode [--floats] < requests.jsonl  print what the network is shown, as hex
       rust-snake decide [--model FILE] < requests.jsonl
                                                      print each move with its logits and value
       rust-snake search [--positions N] < requests.jsonl
                                                      print each move as the search finds it, by no clock
       rust-snake bench [--model FILE] [--decisions N]
                                                      measure decisions and this process's memory
       rust-snake health [--port N]                   exit 0 if the server on this machine answers

  --model FILE       the network [RUST_SNAKE_MODEL, champion.onnx]
  --without-model    no network: the search alone, or with --no-search the safe moves of the built-in heuristic only
  --no-search        the bare network: its first choice, nothing looked ahead
  --time-share F     what of the game's time-out is thought at most, 0 to 0.9; 0: no clock, the budgets of the weights alone
                     [the weights' time_share, 0.4]
  --positions N      positions searched at most; the same request then gets the same move whenever time suffices [none]
  --weights FILE     a config.yaml of the Go snake: evaluation, budgets, depths, time_share, threads [the built-in
                     evaluation, and as deep as the time allows on one thread]
  --eval FILE        a learned leaf evaluation, which helps the weights' own; none: the weights' own alone [the built-in]
  --port N           0 takes a free one, which the ready line names [PORT, 8000]
  --host ADDRESS     [0.0.0.0]
  --games-dir DIR    append each finished game to a file in DIR [OUROBOROS_GAMES_DIR, none]
  --margin-ms N      what of the game's time-out is kept for the way to the game server [100]
  --verbose          tell every move on stderr
  --version          also tells the encoder that models must be made for
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Version,
    Serve,
    Encode,
    Decide,
    Search,
    Bench,
    Health,
}

/// The learned leaf evaluation that helps the weights' own.
#[derive(Debug, PartialEq, Eq)]
pub enum Eval {
    BuiltIn,
    None,
    File(PathBuf),
}

impl Eval {
    fn named(value: OsString) -> Self {
        if value == "none" { Self::None } else { Self::File(value.into()) }
    }
}

/// Everything that can be set.
#[derive(Debug)]
pub struct Options {
    pub command: Command,
    /// None: without a network.
    pub model: Option<PathBuf>,
    pub host: String,
    pub port: u16,
    pub games: Option<PathBuf>,
    pub margin: Duration,
    pub search: bool,
    /// None: what the weights say.
    pub time_share: Option<f64>,
    pub positions: Option<u64>,
    /// None: the built-in ones.
    pub weights: Option<PathBuf>,
    /// The learned leaf evaluation.
    pub eval: Eval,
    pub verbose: bool,
    pub floats: bool,
    pub decisions: usize,
}

/// Reads them; what is not given has the default that `HELP` names in brackets.
///
/// # Errors
/// An unknown argument or a malformed value, in words.
pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Options, String> {
    let mut options = Options {
        command: Command::Serve,
        model: Some(variable("RUST_SNAKE_MODEL")?.unwrap_or_else(|| "champion.onnx".into()).into()),
        host: "0.0.0.0".into(),
        port: match variable("PORT")? {
            Some(text) => text.parse().map_err(|_| format!("PORT is {text:?}, no number from 0 to 65535"))?,
            None => 8000,
        },
        games: variable("OUROBOROS_GAMES_DIR")?.map(PathBuf::from),
        margin: Duration::from_millis(100),
        search: true,
        time_share: None,
        positions: None,
        weights: None,
        eval: Eval::BuiltIn,
        verbose: false,
        floats: false,
        decisions: 2000,
    };
    parse(&mut Parser::from_args(arguments), &mut options).map_err(|error| format!("{error}; see --help"))?;
    Ok(options)
}

/// A variable of the environment; an empty one counts as absent.
fn variable(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

fn parse(parser: &mut Parser, options: &mut Options) -> Result<(), lexopt::Error> {
    let mut first = true;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(word) if first => options.command = command(&word.string()?)?,
            Arg::Long("model") => options.model = Some(parser.value()?.into()),
            Arg::Long("without-model") => options.model = None,
            Arg::Long("port") => options.port = parser.value()?.parse()?,
            Arg::Long("host") => options.host = parser.value()?.string()?,
            Arg::Long("games-dir") => {
                options.games = Some(PathBuf::from(parser.value()?)).filter(|path| !path.as_os_str().is_empty());
            }
            Arg::Long("margin-ms") => options.margin = Duration::from_millis(parser.value()?.parse()?),
            Arg::Long("no-search") => options.search = false,
            Arg::Long("time-share") => options.time_share = Some(share(&parser.value()?.string()?)?),
            Arg::Long("positions") => options.positions = Some(parser.value()?.parse::<u64>()?.max(1)),
            Arg::Long("weights") => options.weights = Some(PathBuf::from(parser.value()?)),
            Arg::Long("eval") => options.eval = Eval::named(parser.value()?),
            Arg::Long("verbose") => options.verbose = true,
            Arg::Long("floats") if options.command == Command::Encode => options.floats = true,
            Arg::Long("decisions") if options.command == Command::Bench => {
                options.decisions = parser.value()?.parse::<usize>()?.max(1);
            }
            Arg::Long("help") | Arg::Short('h') => options.command = Command::Help,
            Arg::Long("version") => options.command = Command::Version,
            other => return Err(other.unexpected()),
        }
        first = false;
    }
    Ok(())
}

fn share(text: &str) -> Result<f64, lexopt::Error> {
    let number = text.parse().ok().filter(|share| (0.0..=0.9).contains(share));
    number.ok_or_else(|| format!("--time-share {text:?} is no number from 0 to 0.9").into())
}

fn command(word: &str) -> Result<Command, lexopt::Error> {
    match word {
        "encode" => Ok(Command::Encode),
        "decide" => Ok(Command::Decide),
        "search" => Ok(Command::Search),
        "bench" => Ok(Command::Bench),
        "health" => Ok(Command::Health),
        _ => Err(format!("{word:?} is no command").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, read};

    #[test]
    fn arguments_are_read() {
        let options = read(["bench", "--model", "m.onnx", "--decisions", "7"].map(Into::into)).unwrap();
        assert_eq!((options.command, options.decisions), (Command::Bench, 7));
        assert_eq!(options.model.unwrap().to_str(), Some("m.onnx"));
        assert!(read(["--without-model"].map(Into::into)).unwrap().model.is_none());
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (arguments, says) in [
            (&["play"][..], "\"play\" is no command"),
            (&["--port", "70000"], "70000"),
            (&["--floats"], "--floats"),
            (&["encode", "decide"], "decide"),
            (&["--model"], "--model"),
            (&["--time-share", "1"], "0.9"),
            (&["--positions", "-1"], "-1"),
        ] {
            let error = read(arguments.iter().map(Into::into)).unwrap_err();
            assert!(error.contains(says) && error.contains("--help"), "{error}");
        }
    }
}
