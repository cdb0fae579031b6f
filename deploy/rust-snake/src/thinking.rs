//! The search on a request's board.

use std::sync::Arc;
use std::time::Instant;

use snake_engine::board::Board as Geometry;
use snake_engine::search::{Decision, Limits, choose};
use snake_engine::state::State;
use snake_engine::weights::Weights;

use crate::board::Board;
use crate::decision::Question;

/// How moves are searched.
#[derive(Clone, Debug)]
pub struct Thinking {
    pub weights: Weights,
    /// Positions scored at most; None: as many as the time allows.
    pub positions: Option<u64>,
}

impl Thinking {
    /// Looks ahead from a position until `until`, None: by the budget alone; `prior` are a network's logits.
    ///
    /// # Errors
    /// The board or its snakes are more than the search can hold.
    pub fn think(
        &self,
        question: &Question,
        until: Option<Instant>,
        prior: Option<[f32; 4]>,
    ) -> Result<Decision, String> {
        match question.board.width * question.board.height {
            0..=128 => self.think_on::<2>(question, until, prior),
            129..=448 => self.think_on::<7>(question, until, prior),
            cells => Err(format!("the search holds 448 cells, not {cells}")),
        }
    }

    fn think_on<const W: usize>(
        &self,
        question: &Question,
        until: Option<Instant>,
        prior: Option<[f32; 4]>,
    ) -> Result<Decision, String> {
        let state = lay_out::<W>(question)?;
        let mut limits = until.map_or_else(|| Limits::budget(&state, &self.weights), Limits::clock);
        limits.positions = self.positions.unwrap_or(limits.positions);
        Ok(choose(&state, question.board.me, &self.weights, limits, prior))
    }
}

fn lay_out<const W: usize>(question: &Question) -> Result<State<W>, String> {
    let Board { width, height, wrapped, .. } = question.board;
    let geometry = Geometry::new(width as u32, height as u32, wrapped)
        .ok_or_else(|| format!("the search does not hold a board of {width} x {height}"))?;
    let mut state = State::new(Arc::new(geometry));
    (state.hazard_damage, state.constrictor) = (question.rules.damage, question.rules.constrictor);
    state.food = question.board.food.iter().map(|&cell| cell as u16).collect();
    for (cell, &layers) in question.board.hazards.iter().enumerate() {
        (0..layers).for_each(|_| state.add_hazard(cell as u16));
    }
    for snake in &question.board.snakes {
        let mut body: Vec<u16> = snake.path.iter().rev().map(|&cell| cell as u16).collect();
        body.resize(snake.length, snake.tail() as u16);
        state.add_snake(snake.health, &body).map_err(|what| format!("a snake {what}"))?;
    }
    Ok(state)
}
