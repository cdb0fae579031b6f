//! What depends on a board's size and edges alone.

use crate::cells::Cells;

/// A step that leaves the board.
pub const WALL: u16 = u16::MAX;
/// The moves' words, by number; y grows upward.
pub const MOVES: [&str; 4] = ["up", "down", "left", "right"];

/// A board's geometry; cell `y * width + x`. It is read-only.
#[derive(Debug)]
pub struct Board<const W: usize> {
    pub width: u32,
    pub height: u32,
    pub wrapped: bool,
    /// The cell reached from a cell by each move, or `WALL`.
    pub next: Vec<[u16; 4]>,
    /// Directions in which a cell touches the edge: 0 inside, 1 on an edge, 2 in a corner; 0 where edges wrap.
    pub sides: Vec<u8>,
    /// Distance from the centre as a share of the largest, 0 to 1; 0 where edges wrap.
    pub off_centre: Vec<f64>,
    pub all: Cells<W>,
    /// The cells of odd `x + y`, one colour of a chessboard.
    pub odd: Cells<W>,
    not_left: Cells<W>,
    not_right: Cells<W>,
}

impl<const W: usize> Board<W> {
    /// A board of `width` by `height`, or None where it has more than `64 * W` cells or is wider than 63.
    pub fn new(width: u32, height: u32, wrapped: bool) -> Option<Self> {
        let fits = width > 0 && height > 0 && width < 64 && (width * height) as usize <= 64 * W;
        fits.then(|| Self::laid_out(width, height, wrapped))
    }

    fn laid_out(width: u32, height: u32, wrapped: bool) -> Self {
        let cells = || (0..height).flat_map(|y| (0..width).map(move |x| (x as i32, y as i32)));
        let (right, top) = (width as i32 - 1, height as i32 - 1);
        let at = |x: i32, y: i32| {
            let (x, y) = if wrapped { (x.rem_euclid(right + 1), y.rem_euclid(top + 1)) } else { (x, y) };
            if (0..=right).contains(&x) && (0..=top).contains(&y) { (y * (right + 1) + x) as u16 } else { WALL }
        };
        let next: Vec<_> = cells().map(|(x, y)| [at(x, y + 1), at(x, y - 1), at(x - 1, y), at(x + 1, y)]).collect();
        let far =
            |x: i32, y: i32| f64::from((2 * x - right).abs() + (2 * y - top).abs()) / f64::from((right + top).max(1));
        let where_ = |wanted: &dyn Fn(i32, i32) -> bool| {
            cells().filter(|&(x, y)| wanted(x, y)).map(|(x, y)| at(x, y)).collect::<Cells<W>>()
        };
        Self {
            width,
            height,
            wrapped,
            sides: next.iter().map(|steps| steps.iter().filter(|&&cell| cell == WALL).count() as u8).collect(),
            off_centre: cells().map(|(x, y)| if wrapped { 0.0 } else { far(x, y) }).collect(),
            all: where_(&|_, _| true),
            odd: where_(&|x, y| (x + y) & 1 == 1),
            not_left: where_(&|x, _| x > 0),
            not_right: where_(&|x, _| x < right),
            next,
        }
    }

    pub fn cells(&self) -> usize {
        self.next.len()
    }

    /// The number of the cell at x, y, or None off the board.
    pub fn cell(&self, x: i32, y: i32) -> Option<u16> {
        let inside = (0..self.width as i32).contains(&x) && (0..self.height as i32).contains(&y);
        inside.then(|| (y * self.width as i32 + x) as u16)
    }

    /// The number of moves between two cells of an empty board.
    #[inline]
    pub fn distance(&self, a: u16, b: u16) -> u32 {
        let (a, b) = (u32::from(a), u32::from(b));
        let dx = (a % self.width).abs_diff(b % self.width);
        let dy = (a / self.width).abs_diff(b / self.width);
        if self.wrapped { dx.min(self.width - dx) + dy.min(self.height - dy) } else { dx + dy }
    }

    /// All neighbours of `cells`.
    #[inline]
    pub fn spread(&self, cells: Cells<W>) -> Cells<W> {
        let across = (cells.up(1) & self.not_left) | (cells.down(1) & self.not_right);
        let inside = across | cells.up(self.width) | cells.down(self.width);
        if self.wrapped { (inside | self.over_the_edge(cells)) & self.all } else { inside & self.all }
    }

    /// The neighbours of `cells` across the edges of a board that wraps. Apart, so that `spread` stays short.
    #[cold]
    fn over_the_edge(&self, cells: Cells<W>) -> Cells<W> {
        let [west, east, south, north] = self.edges(cells);
        west | east | south | north
    }

    fn edges(&self, cells: Cells<W>) -> [Cells<W>; 4] {
        let last_row = self.width * (self.height - 1);
        [
            cells.without(self.not_right).down_far(self.width - 1),
            cells.without(self.not_left).up_far(self.width - 1),
            cells.down_far(last_row),
            cells.up_far(last_row),
        ]
    }

    /// The cells with at least three neighbours in `cells`.
    #[inline]
    pub fn roomy(&self, cells: Cells<W>) -> Cells<W> {
        let [mut west, mut east] = [cells.up(1) & self.not_left, cells.down(1) & self.not_right];
        let [mut south, mut north] = [cells.up(self.width), cells.down(self.width)];
        if self.wrapped {
            let edges = self.edges(cells);
            (west, east, south, north) = (west | edges[0], east | edges[1], south | edges[2], north | edges[3]);
        }
        west & east & (south | north) | south & north & (west | east)
    }
}

#[cfg(test)]
mod tests {
    use super::{Board, WALL};
    use crate::cells::Cells;

    #[test]
    fn spreading_a_set_is_stepping_from_each_cell() {
        for (width, height, wrapped) in [(11, 11, false), (11, 11, true), (7, 3, true), (1, 5, false), (1, 4, true)] {
            let board = Board::<2>::new(width, height, wrapped).unwrap();
            for seed in 1..50u32 {
                let set: Cells<2> =
                    (0..board.cells() as u16).filter(|cell| (u32::from(*cell) * 7 + seed * 13) % seed == 0).collect();
                let stepped: Cells<2> =
                    set.iter().flat_map(|cell| board.next[usize::from(cell)]).filter(|cell| *cell != WALL).collect();
                assert_eq!(board.spread(set), stepped, "{width} x {height}, wrapped {wrapped}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Board::<2>::new(12, 11, false).is_none() && Board::<7>::new(21, 21, false).is_some());
        assert!(Board::<2>::new(0, 3, false).is_none() && Board::<2>::new(64, 1, false).is_none());
    }

    #[test]
    fn distances_wrap_where_the_edges_do() {
        let (plain, wrapped) = (Board::<2>::new(11, 11, false).unwrap(), Board::<2>::new(11, 11, true).unwrap());
        assert_eq!((plain.distance(0, 120), wrapped.distance(0, 120)), (20, 2));
        assert_eq!((plain.off_centre[60], plain.off_centre[0], plain.sides[0]), (0.0, 1.0, 2));
    }
}
