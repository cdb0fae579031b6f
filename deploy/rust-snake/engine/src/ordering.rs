//! Which moves and replies to try first.
//!
//! - Killers: by turns ahead, my last move that was better than needed, and the last reply that refuted a move.
//! - History: by cell and move, how often and how deep that happened anywhere in the tree.

use crate::state::MOST_PLIES;

/// A few moves of one snake.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moves {
    items: [u8; 4],
    count: usize,
}

impl Moves {
    pub fn push(&mut self, direction: u8) {
        self.items[self.count] = direction;
        self.count += 1;
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.items[..self.count]
    }

    /// Sorts by rank, highest first; equals keep their order.
    #[inline]
    fn sort_by(&mut self, rank: impl Fn(u8) -> u32) {
        let mut ranks = [0; 4];
        for index in 0..self.count {
            ranks[index] = rank(self.items[index]);
            let mut at = index;
            while at > 0 && ranks[at - 1] < ranks[at] {
                ranks.swap(at - 1, at);
                self.items.swap(at - 1, at);
                at -= 1;
            }
        }
    }
}

/// No move at all.
pub const NO_MOVE: u8 = 4;
/// Cells that history tells apart; on larger boards distant cells share a place.
const HISTORY_CELLS: usize = 256;
const KNOWN: u32 = 1 << 30;
const KILLER: u32 = 1 << 28;

/// What one side has learnt within a decision.
#[derive(Clone)]
struct Side {
    killer: [u8; MOST_PLIES],
    history: Box<[[u32; 4]; HISTORY_CELLS]>,
}

impl Side {
    fn new() -> Self {
        Self { killer: [NO_MOVE; MOST_PLIES], history: Box::new([[0; 4]; HISTORY_CELLS]) }
    }

    #[inline]
    fn sort(&self, moves: &mut Moves, head: u16, ahead: usize, known: u8) {
        let (history, killer) = (&self.history[usize::from(head) % HISTORY_CELLS], self.killer[ahead]);
        moves.sort_by(|direction| match direction {
            direction if direction == known => KNOWN,
            direction if direction == killer => KILLER,
            direction => history[usize::from(direction & 3)],
        });
    }

    fn note(&mut self, direction: u8, head: u16, ahead: usize, depth: u32) {
        self.killer[ahead] = direction;
        let count = &mut self.history[usize::from(head) % HISTORY_CELLS][usize::from(direction & 3)];
        *count = (*count + depth * depth).min(KILLER - 1);
    }
}

/// The memory of one decision.
#[derive(Clone)]
pub struct Ordering {
    mine: Side,
    theirs: Side,
}

impl Ordering {
    pub fn new() -> Self {
        Self { mine: Side::new(), theirs: Side::new() }
    }

    /// Sorts my moves: first the one the table knows as best, then the killer, then by history.
    #[inline]
    pub fn sort_mine(&self, moves: &mut Moves, head: u16, ahead: usize, known: u8) {
        self.mine.sort(moves, head, ahead, known);
    }

    /// Sorts an opponent's moves by how much they refuted.
    #[inline]
    pub fn sort_replies(&self, moves: &mut Moves, head: u16, ahead: usize, known: u8) {
        self.theirs.sort(moves, head, ahead, known);
    }

    /// Notes that my move from `head` was good enough, with `depth` turns still to look ahead.
    pub fn praise(&mut self, direction: u8, head: u16, ahead: usize, depth: u32) {
        self.mine.note(direction, head, ahead, depth);
    }

    /// Notes that an opponent's reply from `head` refuted a move of mine.
    pub fn blame(&mut self, direction: u8, head: u16, ahead: usize, depth: u32) {
        self.theirs.note(direction, head, ahead, depth);
    }
}

impl Default for Ordering {
    fn default() -> Self {
        Self::new()
    }
}
