//! A Battlesnake server that plays Ouroboros' champion: a search, and the network. See README.md.

mod api;
mod bench;
mod board;
mod contract;
mod decision;
mod encoder;
mod gamelog;
mod ground;
mod health;
mod model;
mod network;
mod offline;
mod options;
mod pace;
mod roster;
mod rules;
mod safe;
mod server;
mod shortcut;
mod slots;
mod thinking;
mod worker;

use std::env;
use std::fs;
use std::io::{self, BufWriter};
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use snake_engine::leaf_eval::LeafEval;
use snake_engine::weights::Weights;

use crate::gamelog::GameLog;
use crate::network::Network;
use crate::options::{Command, Eval, HELP, Options};
use crate::pace::Pace;
use crate::roster::Roster;
use crate::server::Server;
use crate::slots::ENCODER_ID;
use crate::thinking::Thinking;

/// What the user can mend: arguments, the model, the port.
const USAGE: u8 = 2;
/// A failure while serving.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, why)) => {
            eprintln!("rust-snake: {why}");
            ExitCode::from(code)
        }
    }
}

fn run() -> Result<(), (u8, String)> {
    let mend = |why: String| (USAGE, why);
    let options = options::read(env::args_os().skip(1)).map_err(mend)?;
    let output = BufWriter::new(io::stdout());
    match options.command {
        Command::Help => print!("{HELP}"),
        Command::Version => println!("rust-snake {}, encoder {ENCODER_ID}", env!("CARGO_PKG_VERSION")),
        Command::Encode => offline::encode(io::stdin().lock(), output, options.floats).map_err(mend)?,
        Command::Decide => offline::decide(io::stdin().lock(), output, options.model.as_deref()).map_err(mend)?,
        Command::Search => {
            let thinking = thinking(&options).map_err(mend)?;
            offline::search(io::stdin().lock(), output, &thinking).map_err(mend)?;
        }
        Command::Bench => {
            let model = options.model.ok_or_else(|| mend("bench measures a model; name one by --model".into()))?;
            bench::run(&model, options.decisions).map_err(mend)?;
        }
        Command::Health => health::ask(options.port).map_err(|why| (FAILED, why))?,
        Command::Serve => return serve(options),
    }
    Ok(())
}

/// The search that the options ask for.
fn thinking(options: &Options) -> Result<Thinking, String> {
    let weights = match &options.weights {
        None => Weights::shipped(),
        Some(file) => fs::read_to_string(file)
            .map_err(|error| error.to_string())
            .and_then(|text| text.parse())
            .map_err(|why| format!("weights {}: {why}", file.display()))?,
    };
    let learned = match &options.eval {
        Eval::BuiltIn => Some(LeafEval::shipped()),
        Eval::None => None,
        Eval::File(file) => learned(file),
    };
    let learned = learned.map(Arc::new);
    Ok(Thinking { weights, learned, positions: options.positions, bounded: options.weights.is_some() })
}

/// The learned evaluation of a file; one that cannot be used is named, and the snake plays by its own.
fn learned(file: &Path) -> Option<LeafEval> {
    let read =
        fs::read(file).map_err(|error| format!("cannot be read: {error}")).and_then(|data| LeafEval::parse(&data));
    read.inspect_err(|why| eprintln!("rust-snake: {} {why}; playing by the snake's own evaluation", file.display()))
        .ok()
}

fn serve(options: Options) -> Result<(), (u8, String)> {
    let mend = |why: String| (USAGE, why);
    let thinking = if options.search { Some(Arc::new(thinking(&options).map_err(mend)?)) } else { None };
    let network = options.model.map(Network::start).transpose().map_err(mend)?.map(Arc::new);
    let games = match options.games {
        Some(folder) => Some(Arc::new(GameLog::open(&folder, Box::new(SystemTime::now)).map_err(mend)?)),
        None => None,
    };
    let listener = TcpListener::bind((options.host.as_str(), options.port)).map_err(|error| {
        mend(format!("cannot listen on {}:{}: {error}; choose another by --port or PORT", options.host, options.port))
    })?;
    if let Some(worker) = network.as_ref().and_then(|network| network.current()) {
        eprintln!("model {}", worker.card.model_id);
    }
    let Options { margin, verbose, .. } = options;
    let time_share = options.time_share.or(thinking.as_ref().map(|thinking| thinking.weights.search.time_share));
    let time_share = time_share.unwrap_or_default(); // of no use without a search
    let (roster, pace) = (Mutex::new(Roster::default()), Mutex::new(Pace::default()));
    let server = Server { network, thinking, time_share, games, margin, verbose, roster, pace };
    let failed = |error: io::Error| (FAILED, error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(server.serve(listener)).map_err(failed)
}
