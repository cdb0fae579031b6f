//! What a decision costs: time from a request's text to a move, and this process's memory.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::api;
use crate::decision::Question;
use crate::model::{Model, best_move};

/// Requests of real games, as a game server sends them.
const POSITIONS: &str = include_str!("../testdata/positions.jsonl");
const WARM_UP: usize = 100;
const MEGABYTE_IN_KB: f64 = 1024.0;

/// The figures; a megabyte is 2^20 bytes.
#[derive(Serialize)]
struct Figures {
    decisions: usize,
    p50_ms: f64,
    p99_ms: f64,
    most_ms: f64,
    /// Resident memory of this process, the model in it (`VmRSS`); null where the system does not tell it.
    resident_mb: Option<f64>,
    /// The most it ever was (`VmHWM`), loading included.
    peak_mb: Option<f64>,
}

/// Decides `decisions` times, over and over the built-in positions, and prints the figures as one line of JSON.
///
/// # Errors
/// As `Model::load`, or the network failed.
pub fn run(model: &Path, decisions: usize) -> Result<(), String> {
    let mut model = Model::load(model)?;
    let mut times = Vec::with_capacity(decisions);
    for (index, text) in POSITIONS.lines().cycle().take(WARM_UP + decisions).enumerate() {
        let took = time_one(&mut model, text)?;
        if index >= WARM_UP {
            times.push(took);
        }
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
    let figures = Figures {
        decisions,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        most_ms: at(1.0),
        resident_mb: memory("VmRSS:"),
        peak_mb: memory("VmHWM:"),
    };
    println!("{}", serde_json::to_string(&figures).map_err(|error| error.to_string())?);
    Ok(())
}

fn time_one(model: &mut Model, text: &str) -> Result<Duration, String> {
    let start = Instant::now();
    let request = api::read(text.as_bytes())?;
    let question = Question::of(&request, request.board.snakes.len())?;
    let verdict = model.evaluate(&question.observation()?)?;
    black_box(best_move(&verdict.logits, question.board.legal_moves()));
    Ok(start.elapsed())
}

/// A line of `/proc/self/status`, in megabytes.
fn memory(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes / MEGABYTE_IN_KB)
}

#[cfg(test)]
mod tests {
    use super::POSITIONS;
    use crate::api;
    use crate::decision::Question;

    #[test]
    fn every_built_in_position_can_be_encoded() {
        assert!(POSITIONS.lines().count() >= 20);
        for text in POSITIONS.lines() {
            let request = api::read(text.as_bytes()).unwrap();
            Question::of(&request, request.board.snakes.len()).unwrap().observation().unwrap();
        }
    }
}
