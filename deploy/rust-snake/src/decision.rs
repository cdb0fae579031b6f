//! One decision: what is asked of the network, and the safe move where it is not asked or says nothing.

use crate::api::Request;
use crate::board::Board;
use crate::contract::Card;
use crate::encoder::{Observation, encode};
use crate::rules::Rules;
use crate::safe::safe_move;

/// A position that a move is wanted for.
pub struct Question {
    pub board: Board,
    pub rules: Rules,
    /// Snakes that began the game.
    pub seats: usize,
    turn: i64,
    ruleset: String,
}

impl Question {
    /// Lays out a request.
    ///
    /// # Errors
    /// As `Board::of`.
    pub fn of(request: &Request, seats: usize) -> Result<Self, String> {
        let rules = Rules::of(&request.game);
        let board = Board::of(request, &rules)?;
        Ok(Self { board, rules, seats, turn: request.turn, ruleset: request.game.ruleset.name.clone() })
    }

    /// What the network is shown.
    ///
    /// # Errors
    /// The encoder has no form for the game; the words say why.
    pub fn observation(&self) -> Result<Observation, String> {
        encode(&self.board, &self.rules, self.turn, self.seats)
    }

    /// The same for a certain model.
    ///
    /// # Errors
    /// The model was not trained for such games, or the encoder has no form for this one.
    pub fn observation_for(&self, card: &Card) -> Result<Observation, String> {
        card.covers(&self.ruleset, self.seats)?;
        self.observation()
    }

    pub fn safe_move(&self) -> usize {
        safe_move(&self.board, &self.rules)
    }
}
