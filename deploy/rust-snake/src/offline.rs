//! The same encoder and the same decisions without a server, one request a line: what the tests compare with Python.

use std::fmt::Write as _;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::api::{self, MOVES};
use crate::decision::Question;
use crate::encoder::Observation;
use crate::model::{Model, best_move};
use crate::roster::Roster;
use crate::thinking::Thinking;

/// Beside a request's own fields a line may say how many snakes began the game.
#[derive(Deserialize)]
struct Seats {
    seats: Option<usize>,
}

#[derive(Serialize)]
struct Encoded {
    planes: String,
    features: String,
    context: String,
}

#[derive(Serialize)]
struct Refused {
    refused: String,
}

#[derive(Serialize)]
struct Decided {
    r#move: &'static str,
    legal: [bool; 4],
    #[serde(skip_serializing_if = "Option::is_none")]
    logits: Option<[f32; 4]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f32>,
    /// Why the move is the safe one; null: it is the network's.
    safe: Option<String>,
}

#[derive(Serialize)]
struct Searched {
    r#move: &'static str,
    value: f64,
    depth: u32,
    scored: u64,
    /// Each move that was considered with its value, best first.
    moves: Vec<(&'static str, f64)>,
}

/// Prints each request's observation: the bytes as hex, or with `floats` the little-endian float32 numbers.
///
/// # Errors
/// A line that is no request, with its number; input or output that cannot be used.
pub fn encode(input: impl BufRead, output: impl Write, floats: bool) -> Result<(), String> {
    each_line(input, output, |question| match question.observation() {
        Ok(seen) if floats => to_json(&Encoded {
            planes: hex(seen.plane_floats().flat_map(f32::to_le_bytes)),
            features: hex(seen.feature_floats().flat_map(f32::to_le_bytes)),
            context: hex(seen.context_floats().flat_map(f32::to_le_bytes)),
        }),
        Ok(Observation { planes, features, context }) => {
            to_json(&Encoded { planes: hex(planes), features: hex(features), context: hex(context) })
        }
        Err(refused) => to_json(&Refused { refused }),
    })
}

/// Prints each request's move, the legal moves, the logits and the value.
///
/// # Errors
/// As `encode`, and as `Model::load`.
pub fn decide(input: impl BufRead, output: impl Write, model: Option<&Path>) -> Result<(), String> {
    let mut model = model.map(Model::load).transpose()?;
    each_line(input, output, |question| to_json(&decided(question, model.as_mut())))
}

/// Prints each request's move as the search finds it by its budget, no clock, with what it saw.
///
/// # Errors
/// As `encode`, and as `Thinking::think`.
pub fn search(input: impl BufRead, output: impl Write, thinking: &Thinking) -> Result<(), String> {
    each_line(input, output, |question| {
        let found = thinking.think(question, None, None)?;
        let word = |direction: u8| MOVES[usize::from(direction)];
        to_json(&Searched {
            r#move: word(found.direction),
            value: found.value,
            depth: found.depth,
            scored: found.scored,
            moves: found.moves.iter().map(|&(direction, value)| (word(direction), value)).collect(),
        })
    })
}

fn decided(question: &Question, model: Option<&mut Model>) -> Decided {
    let legal = question.board.legal_moves();
    let verdict = match model {
        Some(model) => question.observation_for(&model.card).and_then(|seen| model.evaluate(&seen)),
        None => Err("no model".into()),
    };
    match verdict {
        Ok(verdict) => Decided {
            r#move: MOVES[best_move(&verdict.logits, legal)],
            legal,
            logits: Some(verdict.logits),
            value: Some(verdict.value),
            safe: None,
        },
        Err(why) => Decided { r#move: MOVES[question.safe_move()], legal, logits: None, value: None, safe: Some(why) },
    }
}

fn each_line(
    input: impl BufRead,
    mut output: impl Write,
    mut answer: impl FnMut(&Question) -> Result<String, String>,
) -> Result<(), String> {
    let mut roster = Roster::default();
    for (number, line) in input.lines().enumerate() {
        let wrong = |why: String| format!("line {}: {why}", number + 1);
        let line = line.map_err(|error| wrong(error.to_string()))?;
        let request = api::read(line.as_bytes()).map_err(wrong)?;
        let told: Seats = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        let seats = told.seats.unwrap_or_else(|| roster.seats(&request, Instant::now()));
        let question = Question::of(&request, seats).map_err(wrong)?;
        let text = answer(&question)?;
        writeln!(output, "{text}").map_err(|error| format!("output: {error}"))?;
    }
    output.flush().map_err(|error| format!("output: {error}"))
}

fn to_json(answer: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(answer).map_err(|error| error.to_string())
}

fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    bytes.into_iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
