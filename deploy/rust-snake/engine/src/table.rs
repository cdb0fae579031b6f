//! The transposition table of one decision.
//!
//! A body shows the way it came, so two ways to one position are rare: what the table mostly gives is the order in which
//! the last, shallower look would have tried the moves.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use crate::ordering::NO_MOVE;

/// What a stored value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Exact = 1,
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

    /// One word: from the lowest bit 8 of depth, 2 of bound, 3 of move, 3 of reply, 8 of replier, 8 of age; the upper half
    /// is the value as a float32.
    #[inline]
    fn pack(&self, age: u8) -> u64 {
        let small = self.depth | (self.bound as u32) << 8 | u32::from(self.best) << 10 | u32::from(self.reply) << 13;
        u64::from(small | u32::from(self.replier) << 16 | u32::from(age) << 24)
            | u64::from((self.value as f32).to_bits()) << 32
    }

    #[inline]
    fn unpack(data: u64) -> Self {
        let small = data as u32;
        Self {
            value: f64::from(f32::from_bits((data >> 32) as u32)),
            depth: small & 0xff,
            bound: match small >> 8 & 3 {
                1 => Bound::Exact,
                2 => Bound::Upper,
                _ => Bound::Lower,
            },
            best: (small >> 10 & 7) as u8,
            reply: (small >> 13 & 7) as u8,
            replier: (small >> 16 & 0xff) as u8,
        }
    }

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

const LEAST: usize = 1 << 8;
/// At 16 bytes each, 4 MB.
const MOST: usize = 1 << 18;

/// Memory of decisions that are over, for those to come: were it given back each time, the allocator would keep a table's
/// worth for every thread that ever searched.
static SPARE: Mutex<Vec<(Vec<Slot>, u8)>> = Mutex::new(Vec::new());
/// More are given back: only so many decisions at once would need them.
const MOST_SPARE: usize = 4;

/// A table that forgets everything between decisions, so that a decision depends on nothing but its position. Several
/// threads may share it: each slot is two words that are only believed together.
pub struct Table {
    slots: Vec<Slot>,
    mask: usize,
    /// Of this decision, 1 to 255: slots of other ages count as empty.
    age: u8,
}

/// `check` is the key, changed by `data`.
#[derive(Default)]
struct Slot {
    check: AtomicU64,
    data: AtomicU64,
}

impl Table {
    /// An empty table for a decision that may score so many positions.
    pub fn new(positions: u64) -> Self {
        let size = usize::try_from(positions).unwrap_or(MOST).clamp(LEAST, MOST).next_power_of_two();
        let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (mut slots, mut age) = spare.unwrap_or_default();
        if age == u8::MAX {
            slots.fill_with(Slot::default);
            age = 0;
        }
        if slots.len() < size {
            slots = std::iter::repeat_with(Slot::default).take(size).collect();
            age = 0;
        }
        Self { slots, mask: size - 1, age: age + 1 }
    }

    #[inline]
    fn slot(&self, key: u64) -> &Slot {
        &self.slots[key as usize & self.mask]
    }

    /// Whether a slot's data is of this decision.
    #[inline]
    fn is_mine(&self, data: u64) -> bool {
        data as u32 >> 24 == u32::from(self.age)
    }

    /// What is known of the position with this key.
    #[inline]
    pub fn find(&self, key: u64) -> Memory {
        let slot = self.slot(key);
        let data = slot.data.load(Relaxed);
        if self.is_mine(data) && slot.check.load(Relaxed) ^ data == key {
            Memory::unpack(data)
        } else {
            Memory::NOTHING
        }
    }

    /// Stores what was found out. Of two positions in one place the one looked at deeper stays.
    #[inline]
    pub fn keep(&self, key: u64, memory: &Memory) {
        let slot = self.slot(key);
        let kept = slot.data.load(Relaxed);
        if self.is_mine(kept) && Memory::unpack(kept).depth > memory.depth && slot.check.load(Relaxed) ^ kept != key {
            return;
        }
        let data = memory.pack(self.age);
        slot.data.store(data, Relaxed);
        slot.check.store(key ^ data, Relaxed);
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MOST_SPARE {
            spare.push((std::mem::take(&mut self.slots), self.age));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, Memory, NOBODY, Table};

    #[test]
    fn what_is_kept_is_found_again_and_the_deeper_one_stays() {
        let table = Table::new(1);
        let deep = Memory { value: -12.5, depth: 62, bound: Bound::Lower, best: 3, reply: 2, replier: 7 };
        table.keep(5, &deep);
        table.keep(5 + (1 << 8), &Memory { depth: 3, ..deep });
        assert_eq!(format!("{:?}", table.find(5)), format!("{deep:?}"));
        assert_eq!(format!("{:?}", table.find(5 + (1 << 8))), format!("{:?}", Memory::NOTHING));
        let shallow = Memory { value: 1.0, depth: 0, bound: Bound::Exact, best: 0, reply: 4, replier: NOBODY };
        table.keep(5, &shallow); // the same position is told anew
        assert_eq!(format!("{:?}", table.find(5)), format!("{shallow:?}"));
    }

    #[test]
    fn a_decision_knows_nothing_of_those_before_it() {
        let told = Memory { value: 1.0, depth: 3, bound: Bound::Exact, best: 1, reply: 4, replier: NOBODY };
        for decision in 0..600 {
            let table = Table::new(if decision % 3 == 0 { 5000 } else { 1 });
            assert_eq!(format!("{:?}", table.find(5)), format!("{:?}", Memory::NOTHING), "decision {decision}");
            table.keep(5, &told);
            assert_eq!(format!("{:?}", table.find(5)), format!("{told:?}"));
        }
    }
}
