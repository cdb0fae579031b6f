//! The record of one game in hand, and the line it becomes.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::value::RawValue;

use snake_engine::search::Decision;

use crate::api::{MOVES, Point, Request, SnakeText};

/// How large the frames of one game may grow before the game is given up.
const MOST_BYTES: usize = 8 << 20;
/// Characters of a shout that are kept.
const MOST_SHOUT: usize = 256;
/// JSON holds no infinity: a value beyond this is told as this.
const MOST_VALUE: f64 = 1e12;

#[derive(Serialize)]
struct SnakeLine {
    id: String,
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SettingsLine {
    food_spawn_chance: i32,
    minimum_food: i32,
    hazard_damage_per_turn: i32,
    shrink_every_n_turns: i32,
}

#[derive(Serialize)]
struct Line<'a> {
    format: &'static str,
    game_id: &'a str,
    ruleset: &'a str,
    map: &'a str,
    source: &'a str,
    timeout_ms: u32,
    settings: SettingsLine,
    width: u32,
    height: u32,
    you: usize,
    snakes: &'a [SnakeLine],
    outcome: &'static str,
    turns: i64,
    started_at: String,
    ended_at: String,
    /// The network that played.
    #[serde(skip_serializing_if = "str::is_empty")]
    model: &'a str,
    frames: Box<RawValue>,
}

/// A game in hand; `seen` is when it was last heard of.
pub struct Record {
    pub seen: SystemTime,
    started: SystemTime,
    model: String,
    you: usize,
    snakes: Vec<SnakeLine>,
    index: HashMap<String, usize>,
    frames: String,
    full: bool,
    turn: i64,
    food: Vec<Point>,
    hazards: Vec<Point>,
}

impl Record {
    /// Begins a record; frames come by `add`.
    pub fn of(request: &Request, model: &str, now: SystemTime) -> Self {
        let mut record = Self {
            seen: now,
            started: now,
            model: model.to_owned(),
            you: 0,
            snakes: Vec::new(),
            index: HashMap::new(),
            frames: String::new(),
            full: false,
            turn: 0,
            food: Vec::new(),
            hazards: Vec::new(),
        };
        record.meet(request);
        record
    }

    pub fn has_frames(&self) -> bool {
        !self.frames.is_empty()
    }

    /// Gives every snake not seen before its index.
    fn meet(&mut self, request: &Request) {
        for snake in &request.board.snakes {
            self.number(snake);
        }
        self.you = self.number(&request.you);
    }

    fn number(&mut self, snake: &SnakeText) -> usize {
        if let Some(&known) = self.index.get(&snake.id) {
            return known;
        }
        self.index.insert(snake.id.clone(), self.snakes.len());
        self.snakes.push(SnakeLine { id: snake.id.clone(), name: snake.name.clone() });
        self.snakes.len() - 1
    }

    /// Appends the frame of a request, unless that turn has been seen; `thought` is what was decided on it, and how long
    /// that took.
    pub fn add(&mut self, request: &Request, thought: Option<(&Decision, Duration)>) {
        let first = self.frames.is_empty();
        if self.full || (!first && request.turn <= self.turn) {
            return;
        }
        self.meet(request);
        if !first {
            self.frames.push(',');
        }
        let living = &request.board.snakes;
        self.write(format_args!("{{\"t\":{},\"s\":[", request.turn));
        self.add_list(living, |record, snake| {
            let (head, length) = (snake.body.first().copied().unwrap_or_default(), snake.body.len());
            let index = record.index[&snake.id];
            record.write(format_args!("[{index},{},{length},{},{}]", snake.health, head.x, head.y));
        });
        self.frames.push(']');
        if first || request.turn != self.turn + 1 {
            self.frames.push_str(",\"b\":[");
            self.add_list(living, |record, snake| {
                let index = record.index[&snake.id];
                record.write(format_args!("[{index},"));
                record.add_points(&snake.body);
                record.frames.push(']');
            });
            self.frames.push(']');
        }
        self.add_changed(request);
        self.add_told(living);
        if let Some((decision, took)) = thought {
            self.add_thought(decision, took);
        }
        self.frames.push('}');
        self.turn = request.turn;
        if self.frames.len() > MOST_BYTES {
            (self.frames, self.full) = ("x".into(), true);
        }
    }

    /// Food and hazards, where they differ from the frame before.
    fn add_changed(&mut self, request: &Request) {
        if self.food != request.board.food {
            self.frames.push_str(",\"f\":");
            self.add_points(&request.board.food);
            self.food.clone_from(&request.board.food);
        }
        if self.hazards != request.board.hazards {
            self.frames.push_str(",\"z\":");
            self.add_points(&request.board.hazards);
            self.hazards.clone_from(&request.board.hazards);
        }
    }

    /// The latencies and shouts that the game server tells.
    fn add_told(&mut self, living: &[SnakeText]) {
        let timed: Vec<&SnakeText> = living.iter().filter(|snake| snake.latency > 0).collect();
        if !timed.is_empty() {
            self.frames.push_str(",\"l\":[");
            self.add_list(&timed, |record, snake| {
                let index = record.index[&snake.id];
                record.write(format_args!("[{index},{}]", snake.latency));
            });
            self.frames.push(']');
        }
        let loud: Vec<&SnakeText> = living.iter().filter(|snake| !snake.shout.is_empty()).collect();
        if !loud.is_empty() {
            self.frames.push_str(",\"w\":[");
            self.add_list(&loud, |record, snake| {
                let words: String = snake.shout.chars().take(MOST_SHOUT).collect();
                let index = record.index[&snake.id];
                record.write(format_args!("[{index},{}]", serde_json::Value::from(words)));
            });
            self.frames.push(']');
        }
    }

    fn add_thought(&mut self, decision: &Decision, took: Duration) {
        let (value, ms) = (bounded(decision.value), took.as_secs_f64() * 1000.0);
        let Decision { direction, depth, scored, .. } = decision;
        self.write(format_args!(
            ",\"k\":{{\"m\":\"{}\",\"v\":{value:.3},\"d\":{depth},\"n\":{scored},\"ms\":{ms:.1},\"s\":[",
            MOVES[usize::from(*direction)]
        ));
        self.add_list(&decision.moves, |record, (direction, value)| {
            record.write(format_args!("[\"{}\",{:.3}]", MOVES[usize::from(*direction)], bounded(*value)));
        });
        self.frames.push_str("]}");
    }

    fn add_points(&mut self, points: &[Point]) {
        self.frames.push('[');
        self.add_list(points, |record, point| record.write(format_args!("{},{}", point.x, point.y)));
        self.frames.push(']');
    }

    fn add_list<T>(&mut self, items: &[T], mut add: impl FnMut(&mut Self, &T)) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.frames.push(',');
            }
            add(self, item);
        }
    }

    fn write(&mut self, text: std::fmt::Arguments) {
        // Writing to a String cannot fail.
        let _ = self.frames.write_fmt(text);
    }

    /// The finished game's line, with its line break.
    pub fn line(self, end: &Request, ended: SystemTime) -> Result<String, String> {
        if self.full {
            return Err(format!("its frames take more than {MOST_BYTES} bytes"));
        }
        let (game, numbers) = (&end.game, &end.game.ruleset.settings);
        let frames = RawValue::from_string(format!("[{}]", self.frames)).map_err(|error| error.to_string())?;
        let line = Line {
            format: "ouroboros-game-log/1",
            game_id: &game.id,
            ruleset: &game.ruleset.name,
            map: &game.map,
            source: &game.source,
            timeout_ms: game.timeout,
            settings: SettingsLine {
                food_spawn_chance: numbers.food_spawn_chance,
                minimum_food: numbers.minimum_food,
                hazard_damage_per_turn: numbers.hazard_damage_per_turn,
                shrink_every_n_turns: numbers.royale.shrink_every_n_turns,
            },
            width: end.board.width,
            height: end.board.height,
            you: self.you,
            outcome: outcome(end, self.snakes.len() == 1),
            snakes: &self.snakes,
            turns: self.turn.max(end.turn),
            started_at: humantime::format_rfc3339_millis(self.started).to_string(),
            ended_at: humantime::format_rfc3339_millis(ended).to_string(),
            model: &self.model,
            frames,
        };
        serde_json::to_string(&line).map(|text| text + "\n").map_err(|error| error.to_string())
    }
}

fn bounded(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(-MOST_VALUE, MOST_VALUE) }
}

/// Judges the game by who lives at its end; a game that was always alone is lost with its snake's life.
fn outcome(end: &Request, alone: bool) -> &'static str {
    let you = end.board.snakes.iter().any(|snake| snake.id == end.you.id);
    let others = end.board.snakes.iter().any(|snake| snake.id != end.you.id);
    match (you, others) {
        (true, false) if !alone => "win",
        (false, true) => "loss",
        (false, false) if alone => "loss",
        _ => "draw",
    }
}
