//! The search on a request's board.

use std::sync::Arc;
use std::time::Instant;

use snake_engine::board::Board as Geometry;
use snake_engine::leaf_eval::LeafEval;
use snake_engine::search::{Decision, Limits, choose};
use snake_engine::state::State;
use snake_engine::weights::Weights;

use crate::board::Board;
use crate::decision::Question;

/// How moves are searched.
#[derive(Clone, Debug)]
pub struct Thinking {
    pub weights: Weights,
    /// None: the weights alone value positions.
    pub learned: Option<Arc<LeafEval>>,
    /// Positions scored at most; None: as many as the time allows, or the weights' budgets where `bounded`.
    pub positions: Option<u64>,
    /// Whether the weights' budgets and depths hold under the clock, too, and their threads think.
    pub bounded: bool,
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

    fn limits<const W: usize>(&self, state: &State<W>, until: Option<Instant>) -> Limits {
        let budget = Limits::budget(state, &self.weights);
        let mut limits = match until {
            None => budget,
            Some(_) if self.bounded => Limits { until, threads: self.weights.search.threads as usize, ..budget },
            Some(until) => Limits::clock(until),
        };
        limits.positions = self.positions.unwrap_or(limits.positions);
        limits
    }

    fn think_on<const W: usize>(
        &self,
        question: &Question,
        until: Option<Instant>,
        prior: Option<[f32; 4]>,
    ) -> Result<Decision, String> {
        let state = lay_out::<W>(question)?;
        let limits = self.limits(&state, until);
        Ok(choose(&state, question.board.me, &self.weights, self.learned.as_deref(), limits, prior))
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use snake_engine::search::Limits;
    use snake_engine::weights::{SHIPPED, Weights};

    use super::{Thinking, lay_out};
    use crate::board::tests::request;
    use crate::decision::Question;

    #[test]
    fn what_bounds_the_thought() {
        let text = SHIPPED.replacen("duel_budget: 64000", "duel_budget: 70", 1).replacen("threads: 1", "threads: 3", 1);
        let weights: Weights = text.parse().unwrap();
        let duel = request(11, 11, &[(90, &[(1, 1)]), (90, &[(5, 5)])], &[]);
        let state = lay_out::<2>(&Question::of(&duel, 2).unwrap()).unwrap();
        let until = Some(Instant::now());
        let limits = |bounded: bool, positions: Option<u64>, until: Option<Instant>| {
            let thinking = Thinking { weights: weights.clone(), learned: None, positions, bounded };
            let Limits { positions, depth, until, threads } = thinking.limits(&state, until);
            (positions, depth, until, threads)
        };
        assert_eq!(limits(true, None, until), (70, 24, until, 3)); // a weights' file, as the Go snake
        assert_eq!(limits(true, Some(9), until), (9, 24, until, 3)); // --positions has the last word
        assert_eq!(limits(true, None, None), (70, 24, None, 1)); // no clock: repeatable, so one thread
        assert_eq!(limits(false, None, until), (u64::MAX, 62, until, 1)); // the clock alone
        assert_eq!(limits(false, Some(9), until), (9, 62, until, 1));
    }
}
