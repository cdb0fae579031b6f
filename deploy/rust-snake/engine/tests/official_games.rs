//! Turns recorded from the official engine, played forwards and taken back: the records of the Go snake's own test.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use snake_engine::board::Board;
use snake_engine::features::show;
use snake_engine::leaf_eval::{LEGEND, LeafEval};
use snake_engine::state::{JointMove, MOST_SNAKES, State, Undo};
use snake_engine::territory::Territory;
use snake_engine::weights::Weights;

const RECORDS: &str = "../../go-snake/arena/board/testdata/vectors.jsonl.gz";
/// Turns that are played in one go before they are taken back.
const CHAIN: usize = 4;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    #[serde(rename = "id")]
    id: String,
    #[serde(rename = "ruleset")]
    ruleset: String,
    #[serde(rename = "w")]
    width: u32,
    #[serde(rename = "h")]
    height: u32,
    #[serde(rename = "settings")]
    settings: Value,
    #[serde(rename = "init")]
    init: Start,
    #[serde(rename = "turns")]
    turns: Vec<Turn>,
}

#[derive(Deserialize)]
struct Start {
    s: Vec<Value>,
    f: Vec<i32>,
    z: Option<Vec<i32>>,
    #[serde(default)]
    e: Option<Vec<Vec<Value>>>,
}

/// A turn: moves, snakes, those that died, food after the rules, new hazards and food of the map.
#[derive(Deserialize)]
struct Turn {
    m: String,
    s: Vec<Value>,
    e: Option<Vec<Vec<Value>>>,
    f: Option<Vec<i32>>,
    z: Option<Vec<i32>>,
    n: Option<Vec<i32>>,
    y: Option<Vec<i32>>,
}

/// A snake as recorded; the dead that did not change are 0.
#[derive(Clone, Default)]
struct Creature {
    health: i32,
    body: Vec<i32>,
    dead: bool,
}

#[derive(Clone)]
struct Situation {
    snakes: Vec<Creature>,
    food: Vec<i32>,
    hazards: Vec<i32>,
}

fn creatures(recorded: &[Value], before: &[bool], died: Option<&Vec<Vec<Value>>>) -> Vec<Creature> {
    let mut dead = before.to_vec();
    for entry in died.into_iter().flatten() {
        dead[entry[0].as_u64().unwrap() as usize] = true;
    }
    let read = |(value, dead): (&Value, bool)| match value.as_array() {
        Some(pair) => Creature {
            health: pair[0].as_i64().unwrap() as i32,
            body: serde_json::from_value(pair[1].clone()).unwrap(),
            dead,
        },
        None => Creature { dead, ..Creature::default() },
    };
    recorded.iter().zip(dead).map(read).collect()
}

impl Record {
    fn start(&self) -> Situation {
        let init = &self.init;
        let alive = vec![false; init.s.len()];
        Situation {
            snakes: creatures(&init.s, &alive, init.e.as_ref()),
            food: init.f.clone(),
            hazards: init.z.clone().unwrap_or_default(),
        }
    }

    /// The situation after the rules of a turn, before the map adds food and hazards.
    fn ruled(&self, at: usize, now: &Situation) -> Situation {
        let turn = &self.turns[at];
        let dead: Vec<bool> = now.snakes.iter().map(|snake| snake.dead).collect();
        Situation {
            snakes: creatures(&turn.s, &dead, turn.e.as_ref()),
            food: turn.f.clone().unwrap_or_else(|| now.food.clone()),
            hazards: now.hazards.clone(),
        }
    }

    fn after(&self, at: usize, now: &Situation) -> Situation {
        let (turn, mut next) = (&self.turns[at], self.ruled(at, now));
        next.food.extend(turn.n.iter().flatten());
        next.hazards = turn.y.clone().or_else(|| turn.z.clone()).unwrap_or(next.hazards);
        next
    }

    /// The position with the living snakes, and each recorded snake's number in it.
    fn load<const W: usize>(&self, now: &Situation) -> Option<(State<W>, Vec<Option<usize>>)> {
        let board = Board::<W>::new(self.width, self.height, self.ruleset.contains("wrapped"))?;
        let mut state = State::new(Arc::new(board));
        state.constrictor = self.ruleset.contains("constrictor");
        state.hazard_damage = self.settings["damagePerTurn"].as_i64().unwrap_or_default() as i32;
        let mut index = vec![None; now.snakes.len()];
        for (number, snake) in now.snakes.iter().enumerate().filter(|(_, snake)| !snake.dead) {
            index[number] = Some(state.count);
            let body: Option<Vec<u16>> = cells(&state, &snake.body).into_iter().collect();
            state.add_snake(snake.health, &body?).ok()?;
        }
        state.food = cells(&state, &now.food).into_iter().flatten().collect();
        for cell in cells(&state, &now.hazards).into_iter().flatten() {
            state.add_hazard(cell);
        }
        Some((state, index))
    }

    /// Plays up to `CHAIN` turns from turn `at`, compares each, takes them back; returns how many were compared.
    fn play_from<const W: usize>(&self, at: usize, mut now: Situation) -> usize {
        let Some((mut state, index)) = self.load::<W>(&now) else { return 0 };
        let (mut undos, mut before) = (Vec::new(), Vec::new());
        for turn in at..self.turns.len().min(at + CHAIN) {
            let about = &self.turns[turn];
            // A snake of length 1, which no game has, dies in the official engine by eating: the search goes not so far.
            if about.m.contains('x') || now.snakes.iter().any(|snake| snake.body.len() == 2) {
                break;
            }
            let mut moves: JointMove = [0; MOST_SNAKES];
            for (letter, index) in about.m.chars().zip(&index) {
                if let (Some(index), Some(direction)) = (index, "udlr".find(letter)) {
                    moves[*index] = direction as u8;
                }
            }
            before.push(picture(&state));
            let mut undo = Undo::NOTHING;
            state.step(&moves, &mut undo);
            undos.push(undo);
            now = self.ruled(turn, &now);
            self.check(&state, &index, &now, turn);
            if about.z.is_some() || about.y.is_some() || about.n.as_ref().is_some_and(|food| !food.is_empty()) {
                break; // the search knows of no such change
            }
        }
        let played = undos.len();
        for (undo, before) in undos.iter().zip(before).rev() {
            state.undo(undo);
            assert_eq!(picture(&state), before, "{}: a turn after {at} is not taken back", self.id);
        }
        played
    }

    fn check<const W: usize>(&self, state: &State<W>, index: &[Option<usize>], now: &Situation, turn: usize) {
        let place = format!("{} turn {turn}", self.id);
        for (snake, index) in now.snakes.iter().zip(index) {
            let Some(index) = *index else { continue };
            let ours = &state.snakes()[index];
            assert_eq!(ours.alive, !snake.dead, "{place}: snake {index}");
            if ours.alive {
                let body: Vec<_> = cells(state, &snake.body).into_iter().flatten().collect();
                assert_eq!((ours.health, body_of(state, index)), (snake.health, body), "{place}: snake {index}");
                assert_eq!(ours.length as usize, snake.body.len() / 2, "{place}: snake {index}");
            }
        }
        if !state.constrictor {
            let food = cells(state, &now.food).into_iter().flatten().collect();
            assert_eq!(state.food, food, "{place}: food");
        }
    }
}

fn cells<const W: usize>(state: &State<W>, flat: &[i32]) -> Vec<Option<u16>> {
    flat.chunks(2).map(|at| state.board.cell(at[0], at[1])).collect()
}

/// The body as the rules have it, head first, stacked cells repeated.
fn body_of<const W: usize>(state: &State<W>, index: usize) -> Vec<u16> {
    let mut body: Vec<u16> = state.path(index).iter().rev().copied().collect();
    body.extend(vec![state.tail(index); state.snakes()[index].stack as usize]);
    body
}

/// Everything that a turn may change, in words.
fn picture<const W: usize>(state: &State<W>) -> String {
    let bodies: Vec<_> = (0..state.count).map(|index| body_of(state, index)).collect();
    format!("{:?} {:?} {} {bodies:?}", state.snakes(), state.food, state.living)
}

fn records() -> impl Iterator<Item = Record> {
    let file = File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDS)).unwrap();
    BufReader::new(GzDecoder::new(file)).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

#[test]
fn turns_are_those_of_the_official_engine() {
    let mut turns = [0, 0];
    for record in records() {
        let mut now = record.start();
        for at in 0..record.turns.len() {
            turns[0] += record.play_from::<2>(at, now.clone());
            turns[1] += record.play_from::<7>(at, now.clone());
            now = record.after(at, &now);
        }
    }
    assert!(turns[0] > 5000 && turns[1] > turns[0], "{turns:?} turns compared");
}

/// Adds what a position shows every living snake, and both networks' values, to the sum; returns the number of snakes.
fn sum_up(state: &State<2>, learned: &LeafEval, weights: &Weights, sum: &mut flate2::Crc) -> usize {
    let mut territory = Territory::new(state, weights);
    territory.fill(state);
    for me in 0..state.count {
        let shown = show(state, &territory, me, state.standing());
        for (value, (name, values)) in shown.iter().zip(LEGEND) {
            assert!(usize::from(*value) < values, "{name} is {value}, of {values} values");
            sum.update(&value.to_le_bytes());
        }
        for network in [&learned.duel, &learned.crowd] {
            sum.update(&network.evaluate(&shown).to_le_bytes());
        }
    }
    state.count
}

/// The Go snake's test (`brain/features_test.go`) wrote the file: the same numbers here, to the last bit.
#[test]
fn leaf_values_are_those_of_the_go_snake() {
    let go_snake = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../go-snake");
    let learned = LeafEval::shipped();
    let (weights, mut sum, mut views) = (Weights::shipped(), flate2::Crc::new(), 0);
    for record in records() {
        let mut now = record.start();
        for at in 0..=record.turns.len() {
            if let Some((state, _)) = record.load::<2>(&now).filter(|(state, _)| state.living > 1) {
                views += sum_up(&state, &learned, &weights, &mut sum);
            }
            if at < record.turns.len() {
                now = record.after(at, &now);
            }
        }
    }
    let wanted = std::fs::read_to_string(go_snake.join("leafeval/testdata/official_values.txt")).unwrap();
    assert_eq!(format!("{views} views, CRC-32 {:08x} of features and values\n", sum.sum()), wanted);
}
