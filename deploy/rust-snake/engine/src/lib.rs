//! Battlesnake's rules, a search and an evaluation, on bitboards and without dependencies.
//!
//! - `board`: what depends on the size and the edges alone; `cells`: sets of cells;
//! - `state`: a position, played forwards and taken back by the official rules;
//! - `territory`: who reaches which cell first; `evaluation`: what a position is worth; `prediction`: likely moves;
//! - `leaf_eval`: a learned evaluation that helps it, of what `features` shows;
//! - `search`: iterative deepening over joint moves, with `table` and `ordering`;
//! - `weights`: the numbers of evaluation and search, read from the Go snake's `config.yaml`.
//!
//! Within a budget of positions and without a clock the same position always gets the same move, the one that the Go
//! snake (`deploy/go-snake/brain`) finds with the same weights: what the tuner learns there holds here.

pub mod board;
pub mod cells;
pub mod evaluation;
pub mod features;
pub mod leaf_eval;
pub mod ordering;
pub mod prediction;
pub mod search;
pub mod state;
mod table;
pub mod territory;
pub mod weights;
