//! The move that an opponent most likely plays next: a quick look at exits, food, longer and shorter heads.

use crate::board::WALL;
use crate::cells::Cells;
use crate::ordering::Moves;
use crate::state::{JointMove, State};
use crate::territory::FAR;
use crate::weights::{Predict, Weights};

/// Predicts moves; set up once for all positions looked at from a root.
pub struct Predictor {
    weights: Predict,
    /// By distance, how much food attracts.
    decay: [f64; 128],
}

/// The moves of a snake that no wall and no body forbids, as far as the present bodies tell. A snake without any gets one
/// move onto a body, whose owner may yet starve this turn, or failing that off the board, so that the list is never empty.
#[inline]
pub fn options<const W: usize>(state: &State<W>, snake: usize, standing: Cells<W>) -> Moves {
    let (mut moves, mut last) = (Moves::default(), 0);
    for (direction, &cell) in (0u8..).zip(&state.board.next[usize::from(state.snakes()[snake].head)]) {
        if cell == WALL {
            continue;
        }
        last = direction;
        if !standing.has(cell) {
            moves.push(direction);
        }
    }
    if moves.is_empty() {
        moves.push(last);
    }
    moves
}

impl Predictor {
    pub fn new(weights: &Weights) -> Self {
        Self { weights: weights.predict.clone(), decay: decay(weights.food.decay) }
    }

    /// Predicts every living snake but `me`.
    pub fn all<const W: usize>(&self, state: &State<W>, me: usize, standing: Cells<W>) -> JointMove {
        let mut moves = JointMove::default();
        let soon = state.standing_two_turns();
        for (index, _) in state.rivals(me) {
            moves[index] = self.predict(state, index, standing, soon);
        }
        moves
    }

    fn predict<const W: usize>(&self, state: &State<W>, snake: usize, standing: Cells<W>, soon: Cells<W>) -> u8 {
        let moves = options(state, snake, standing);
        let mut best = (moves.as_slice()[0], f64::NEG_INFINITY);
        if moves.as_slice().len() == 1 {
            return best.0;
        }
        for &direction in moves.as_slice() {
            let appeal = self.appeal(state, snake, direction, soon);
            if appeal > best.1 {
                best = (direction, appeal);
            }
        }
        best.0
    }

    /// How attractive a move looks to a snake.
    fn appeal<const W: usize>(&self, state: &State<W>, snake: usize, direction: u8, soon: Cells<W>) -> f64 {
        let (weights, board) = (&self.weights, &*state.board);
        let him = &state.snakes()[snake];
        let target = board.next[usize::from(him.head)][usize::from(direction)];
        if target == WALL {
            return f64::MIN;
        }
        let mut appeal = 0.0;
        for (onwards, &cell) in (0u8..).zip(&board.next[usize::from(target)]) {
            if cell != WALL && !soon.has(cell) {
                appeal += weights.exits;
                if onwards == direction {
                    appeal += weights.straight;
                }
            }
        }
        for (_, other) in state.rivals(snake) {
            if board.distance(target, other.head) == 1 {
                appeal += if other.length >= him.length { -weights.fear } else { weights.attack };
            }
        }
        let nearest = state.food.iter().map(|cell| board.distance(target, cell)).min().unwrap_or(FAR);
        if nearest < FAR && !state.constrictor {
            appeal += weights.food * self.decay[(nearest as usize).min(127)];
        }
        appeal
    }
}

/// Powers of `base` from the 0th on.
pub fn decay(base: f64) -> [f64; 128] {
    let mut near = 1.0;
    std::array::from_fn(|_| {
        let power = near;
        near *= base;
        power
    })
}
