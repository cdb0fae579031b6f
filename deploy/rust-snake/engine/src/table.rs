//! The transposition table of one decision.
//!
//! A body shows the way it came, so two ways to one position are rare: what the table mostly gives is the order in which
//! the last, shallower look would have tried the moves.

use crate::ordering::NO_MOVE;

/// What a stored value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Exact,
    /// The true value is at most this.
    Upper,
    /// The true value is at least this.
    Lower,
}

/// What is kept of a position: its value looking `depth` turns ahead, my best move there, and the reply, by snake
/// `replier`, that spoilt that move most.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub value: f64,
    pub depth: u32,
    pub bound: Bound,
    pub best: u8,
    pub reply: u8,
    pub replier: u8,
}

/// No reply did worse than the predicted ones.
pub const NOBODY: u8 = u8::MAX;

impl Memory {
    /// Recommends nothing and settles nothing.
    pub const NOTHING: Self = Self {
        value: f64::NEG_INFINITY,
        depth: 0,
        bound: Bound::Upper,
        best: NO_MOVE,
        reply: NO_MOVE,
        replier: NOBODY,
    };

    /// Whether what is remembered answers the question: at least so deep, and exact or outside the window.
    #[inline]
    pub fn settles(&self, depth: u32, alpha: f64, beta: f64) -> bool {
        self.depth >= depth
            && match self.bound {
                Bound::Exact => true,
                Bound::Upper => self.value <= alpha,
                Bound::Lower => self.value >= beta,
            }
    }
}

#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    value: f32,
    depth: u8,
    bound: Bound,
    best: u8,
    reply: u8,
    replier: u8,
}

const LEAST: usize = 1 << 8;
/// At 24 bytes each, 6 MB.
const MOST: usize = 1 << 18;

/// A table that forgets everything between decisions, so that a decision depends on nothing but its position.
pub struct Table {
    slots: Vec<Option<Slot>>,
}

impl Table {
    /// An empty table for a decision that may score so many positions.
    pub fn new(positions: u64) -> Self {
        let size = usize::try_from(positions).unwrap_or(MOST).clamp(LEAST, MOST).next_power_of_two();
        Self { slots: vec![None; size] }
    }

    #[inline]
    fn place(&self, key: u64) -> usize {
        key as usize & (self.slots.len() - 1)
    }

    /// What is known of the position with this key.
    #[inline]
    pub fn find(&self, key: u64) -> Memory {
        match self.slots[self.place(key)] {
            Some(slot) if slot.key == key => Memory {
                value: f64::from(slot.value),
                depth: u32::from(slot.depth),
                bound: slot.bound,
                best: slot.best,
                reply: slot.reply,
                replier: slot.replier,
            },
            _ => Memory::NOTHING,
        }
    }

    /// Stores what was found out. Of two positions in one place the one looked at deeper stays.
    #[inline]
    pub fn keep(&mut self, key: u64, memory: &Memory) {
        let place = self.place(key);
        let kept = &mut self.slots[place];
        if kept.is_some_and(|slot| slot.key != key && u32::from(slot.depth) > memory.depth) {
            return;
        }
        *kept = Some(Slot {
            key,
            value: memory.value as f32,
            depth: memory.depth as u8,
            bound: memory.bound,
            best: memory.best,
            reply: memory.reply,
            replier: memory.replier,
        });
    }
}
