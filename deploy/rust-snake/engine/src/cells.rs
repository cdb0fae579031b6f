//! Sets of cells as bits, a cell's number its bit.

use std::ops::{BitAnd, BitOr, BitOrAssign};

/// A set of cells, of a board of at most `64 * W` cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells<const W: usize>([u64; W]);

impl<const W: usize> Cells<W> {
    pub const EMPTY: Self = Self([0; W]);

    /// The set of one cell.
    #[inline]
    pub fn of(cell: u16) -> Self {
        // Every word is written: that stays in registers, where one chosen by number goes through memory.
        Self(std::array::from_fn(|word| u64::from(usize::from(cell >> 6) == word) << (cell & 63)))
    }

    #[inline]
    pub fn insert(&mut self, cell: u16) {
        self.0[usize::from(cell >> 6)] |= 1 << (cell & 63);
    }

    #[inline]
    pub fn remove(&mut self, cell: u16) {
        self.0[usize::from(cell >> 6)] &= !(1 << (cell & 63));
    }

    #[inline]
    pub fn has(&self, cell: u16) -> bool {
        self.0[usize::from(cell >> 6)] >> (cell & 63) & 1 != 0
    }

    #[inline]
    pub fn is_empty(self) -> bool {
        self.0.iter().fold(0, |all, word| all | word) == 0
    }

    /// The number of cells.
    #[inline]
    pub fn count(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    #[inline]
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        let mut set = self;
        for (word, off) in set.0.iter_mut().zip(other.0) {
            *word &= !off;
        }
        set
    }

    /// The lowest cell; of an empty set the number of bits.
    #[inline]
    pub fn lowest(self) -> u16 {
        let mut base = 0;
        for word in self.0 {
            if word != 0 {
                return base + word.trailing_zeros() as u16;
            }
            base += 64;
        }
        base
    }

    /// The cells, lowest first.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let cell = (!rest.is_empty()).then(|| rest.lowest())?;
            rest.remove(cell);
            Some(cell)
        })
    }

    /// Every cell moved up by `by` numbers, 1 to 63; what falls off the end is gone.
    #[inline]
    #[must_use]
    pub fn up(self, by: u32) -> Self {
        let (by, rest) = (by & 63, 64 - (by & 63));
        let mut set = Self::EMPTY;
        set.0[0] = self.0[0] << by;
        for word in 1..W {
            set.0[word] = self.0[word] << by | self.0[word - 1] >> (rest & 63);
        }
        set
    }

    /// Every cell moved down by `by` numbers, 1 to 63.
    #[inline]
    #[must_use]
    pub fn down(self, by: u32) -> Self {
        let (by, rest) = (by & 63, 64 - (by & 63));
        let mut set = Self::EMPTY;
        set.0[W - 1] = self.0[W - 1] >> by;
        for word in 0..W - 1 {
            set.0[word] = self.0[word] >> by | self.0[word + 1] << (rest & 63);
        }
        set
    }

    /// As `up`, by any number.
    #[must_use]
    pub fn up_far(self, by: u32) -> Self {
        let mut set = Self::EMPTY;
        let words = (by / 64) as usize;
        for word in words..W {
            set.0[word] = self.0[word - words];
        }
        if by.is_multiple_of(64) { set } else { set.up(by % 64) }
    }

    /// As `down`, by any number.
    #[must_use]
    pub fn down_far(self, by: u32) -> Self {
        let mut set = Self::EMPTY;
        let words = (by / 64) as usize;
        for word in words..W {
            set.0[word - words] = self.0[word];
        }
        if by.is_multiple_of(64) { set } else { set.down(by % 64) }
    }
}

impl<const W: usize> BitOr for Cells<W> {
    type Output = Self;

    #[inline]
    fn bitor(mut self, other: Self) -> Self {
        self |= other;
        self
    }
}

impl<const W: usize> BitOrAssign for Cells<W> {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
    }
}

impl<const W: usize> BitAnd for Cells<W> {
    type Output = Self;

    #[inline]
    fn bitand(mut self, other: Self) -> Self {
        for (word, with) in self.0.iter_mut().zip(other.0) {
            *word &= with;
        }
        self
    }
}

impl<const W: usize> FromIterator<u16> for Cells<W> {
    fn from_iter<I: IntoIterator<Item = u16>>(cells: I) -> Self {
        let mut set = Self::EMPTY;
        cells.into_iter().for_each(|cell| set.insert(cell));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::Cells;

    #[test]
    fn moving_all_cells_is_moving_each() {
        let cells = [0, 1, 62, 63, 64, 100, 127, 128, 200, 447];
        let set: Cells<7> = cells.into_iter().collect();
        for by in [1u32, 7, 11, 63, 64, 90, 380] {
            let up: Cells<7> = cells.iter().map(|cell| cell + by as u16).filter(|cell| *cell < 448).collect();
            let down: Cells<7> = cells.iter().filter_map(|cell| cell.checked_sub(by as u16)).collect();
            assert_eq!((set.up_far(by), set.down_far(by)), (up, down), "by {by}");
            if by < 64 {
                assert_eq!((set.up(by), set.down(by)), (up, down), "by {by}");
            }
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut set: Cells<2> = [5, 64, 127].into_iter().collect();
        set.remove(64);
        assert_eq!(set.iter().collect::<Vec<_>>(), [5, 127]);
        assert_eq!((set.count(), set.lowest(), set.has(127), set.has(64)), (2, 5, true, false));
        assert!(set.without(set).is_empty());
    }
}
