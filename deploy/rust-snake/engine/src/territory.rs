//! Which living snake reaches each cell first, by a flood from all heads at once, turn by turn.
//!
//! - A snake's front moves to every neighbour that no body holds by then: a cell under a body is open from the turn on
//!   which that body will have left it, but no front waits for that.
//! - Of snakes that arrive together the longest gets the cell; if several are longest, nobody does: it is contested, and
//!   what can only be reached through contested cells is contested too.

use std::cmp::Ordering::{Equal, Greater, Less};

use crate::board::Board;
use crate::cells::Cells;
use crate::state::{MOST_SNAKES, State};
use crate::weights::Weights;

/// More steps than any board has.
pub const FAR: u32 = 1 << 14;
/// How many turns count as near: what is reached by then is a head's freedom to move.
const NEAR_STEPS: u32 = 5;
/// Kinds of cells: bit 0 set on the edge, bit 1 in a hazard that hurts.
const KINDS: usize = 4;

/// What one snake reaches first.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// Its cells by kind; a head's own cell is none.
    rooms: [u32; KINDS],
    /// Its cells by the chessboard's colour, even and odd.
    colours: [u32; 2],
    /// Its cells that it reaches within `NEAR_STEPS`.
    pub near: u32,
    /// Cells with at most two neighbours that anybody reaches.
    pub corridors: u32,
    /// Whether its cells touch none that others reach, nor contested ones.
    pub sealed: bool,
    /// Pieces of food among its cells, the steps to the nearest (`FAR`: none) and that food's cell, the lowest of equals.
    pub foods: u32,
    pub food_steps: u32,
    pub food_cell: u16,
    /// The steps to its own tail over its own cells, `FAR` if they do not hold it.
    pub tail_steps: u32,
}

impl Reach {
    const NOTHING: Self = Self {
        rooms: [0; KINDS],
        colours: [0; 2],
        near: 0,
        corridors: 0,
        sealed: false,
        foods: 0,
        food_steps: FAR,
        food_cell: 0,
        tail_steps: FAR,
    };

    pub fn room(&self) -> u32 {
        self.rooms.iter().sum()
    }
}

/// The flood of one snake; fronts are kept longest snake first.
#[derive(Clone, Copy)]
struct Front<const W: usize> {
    snake: usize,
    length: i32,
    claims: Cells<W>,
    near: Cells<W>,
    fresh: Cells<W>,
    tail: u16,
    food_steps: u32,
    food_cell: u16,
    tail_steps: u32,
    body: Leaving,
}

/// Which cell of a body opens next.
#[derive(Clone, Copy)]
struct Leaving {
    /// An entry of the path; negative while the tail is stacked.
    next: i64,
    /// The next opening is put off: the snake has eaten on its way.
    late: bool,
}

/// The territory of a position, and what holds for all positions reached from one root.
pub struct Territory<const W: usize> {
    reach: [Reach; MOST_SNAKES],
    disputed: [u32; KINDS],
    kinds: [Cells<W>; KINDS],
    hurts: bool,
    value: [f64; KINDS],
    corridor_discount: f64,
    parity: f64,
    vacate: bool,
    grows: bool,
}

impl<const W: usize> Territory<W> {
    /// Sets up what stays the same for all positions looked at from `root`.
    pub fn new(root: &State<W>, weights: &Weights) -> Self {
        let mut kinds = [Cells::EMPTY; KINDS];
        for cell in root.board.all.iter() {
            let edge = usize::from(root.board.sides[usize::from(cell)] > 0);
            let hurts = usize::from(root.hazards.has(cell) && root.hazard_damage > 0);
            kinds[edge | hurts << 1].insert(cell);
        }
        let (edge, hazard) = (weights.space.edge_cell, 1.0 - weights.hazard.area_discount);
        Self {
            reach: [Reach::NOTHING; MOST_SNAKES],
            disputed: [0; KINDS],
            hurts: !(kinds[2] | kinds[3]).is_empty(),
            kinds,
            value: [1.0, edge, hazard, edge * hazard],
            corridor_discount: weights.space.corridor_discount,
            parity: weights.space.parity,
            vacate: weights.space.bodies_vacate && !root.constrictor,
            grows: weights.space.tails_grow && !root.constrictor,
        }
    }

    #[inline]
    pub fn of(&self, snake: usize) -> &Reach {
        &self.reach[snake]
    }

    /// What a snake's ground counts, in cells.
    #[inline]
    pub fn worth(&self, snake: usize) -> f64 {
        let reach = &self.reach[snake];
        self.weigh(&reach.rooms) - self.corridor_discount * f64::from(reach.corridors)
    }

    /// What the contested ground counts, in cells.
    #[inline]
    pub fn disputed_worth(&self) -> f64 {
        self.weigh(&self.disputed)
    }

    #[inline]
    fn weigh(&self, cells: &[u32; KINDS]) -> f64 {
        f64::from(cells[0]) * self.value[0]
            + f64::from(cells[1]) * self.value[1]
            + f64::from(cells[2]) * self.value[2]
            + f64::from(cells[3]) * self.value[3]
    }

    /// How much of its ground a snake can tread: it steps on the chessboard's colours in turn, so of the colour that
    /// there is more of some cells stay over, and a share of those does not count.
    #[inline]
    pub fn usable(&self, state: &State<W>, snake: usize) -> f64 {
        f64::from(self.reach[snake].room()) - self.parity * f64::from(self.idle(state, snake))
    }

    /// How many cells of its ground stay over when a snake treads the two colours in turn.
    #[inline]
    pub fn idle(&self, state: &State<W>, snake: usize) -> u32 {
        let (reach, head) = (&self.reach[snake], state.snakes()[snake].head);
        let colour = usize::from(state.board.odd.has(head));
        let (next, same) = (reach.colours[colour ^ 1] as i32, reach.colours[colour] as i32);
        (next - same - 1).max(same - next).max(0) as u32
    }

    /// The contested cells outside of hazards.
    #[inline]
    pub fn disputed(&self) -> u32 {
        self.disputed[0] + self.disputed[1]
    }

    /// Computes the territory of `state`.
    pub fn fill(&mut self, state: &State<W>) {
        if state.living == 2 && !state.board.wrapped {
            let mut living = (0..state.count).filter(|&index| state.snakes()[index].alive);
            if let (Some(first), Some(second)) = (living.next(), living.next()) {
                let mut fronts = [Front::of(state, first), Front::of(state, second)];
                let contested = self.flood_duel(state, &mut fronts);
                return self.count(state, &fronts, contested);
            }
        }
        let (mut fronts, count) = fronts(state);
        let contested = self.flood(state, &mut fronts[..count]);
        self.count(state, &fronts[..count], contested);
    }

    /// Floods for any number of snakes, longest first; returns the contested cells.
    fn flood(&self, state: &State<W>, fronts: &mut [Front<W>]) -> Cells<W> {
        let board = &*state.board;
        let mut open = board.all.without(bodies(state));
        let (mut contested, mut fresh) = (Cells::EMPTY, Cells::EMPTY);
        for steps in 1.. {
            if self.vacate {
                for front in fronts.iter_mut() {
                    open |= front.body.opening(state.path(front.snake));
                }
            }
            // A cell that was reached opens no more.
            open = fronts.iter().fold(open.without(contested), |open, front| open.without(front.claims));
            let (mut taken, mut disputed) = advance(board, fronts, open);
            if !fresh.is_empty() {
                disputed |= (board.spread(fresh) & open).without(taken);
            }
            taken |= disputed;
            if taken.is_empty() {
                break;
            }
            fresh = disputed;
            contested |= disputed;
            for front in fronts.iter_mut() {
                front.claims |= front.fresh;
                if steps <= NEAR_STEPS {
                    front.near = front.claims;
                }
                front.note(front.fresh, steps, state.food, self.grows);
            }
        }
        contested
    }

    /// The same for two snakes where edges do not wrap: most floods by far, so without loops over snakes, and with all that
    /// changes at each step in local variables.
    fn flood_duel(&self, state: &State<W>, fronts: &mut [Front<W>; 2]) -> Cells<W> {
        let board = &*state.board;
        let [a, b] = fronts;
        let (path_a, path_b) = (state.path(a.snake), state.path(b.snake));
        let (mut fresh_a, mut fresh_b) = (a.fresh, b.fresh);
        let (mut claims_a, mut claims_b) = (Cells::EMPTY, Cells::EMPTY);
        let (mut contested, mut fresh) = (Cells::EMPTY, Cells::EMPTY);
        let mut open = board.all.without(state.snakes()[a.snake].body | state.snakes()[b.snake].body);
        for steps in 1.. {
            if self.vacate {
                let opening = a.body.opening(path_a) | b.body.opening(path_b);
                open |= opening.without(claims_a | claims_b | contested);
            }
            fresh_a = board.spread(fresh_a) & open;
            fresh_b = board.spread(fresh_b) & open;
            let (both, mut disputed) = (fresh_a & fresh_b, Cells::EMPTY);
            match a.length.cmp(&b.length) {
                Greater => fresh_b = fresh_b.without(both),
                Less => fresh_a = fresh_a.without(both),
                Equal => (fresh_a, fresh_b, disputed) = (fresh_a.without(both), fresh_b.without(both), both),
            }
            if !fresh.is_empty() {
                disputed |= (board.spread(fresh) & open).without(fresh_a | fresh_b);
            }
            let taken = fresh_a | fresh_b | disputed;
            if taken.is_empty() {
                break;
            }
            fresh = disputed;
            contested |= disputed;
            open = open.without(taken);
            claims_a |= fresh_a;
            claims_b |= fresh_b;
            if steps <= NEAR_STEPS {
                (a.near, b.near) = (claims_a, claims_b);
            }
            a.note(fresh_a, steps, state.food, self.grows);
            b.note(fresh_b, steps, state.food, self.grows);
        }
        (a.claims, b.claims) = (claims_a, claims_b);
        contested
    }

    /// Writes the result of a flood down.
    fn count(&mut self, state: &State<W>, fronts: &[Front<W>], contested: Cells<W>) {
        let board = &*state.board;
        let reached = fronts.iter().fold(contested, |all, front| all | front.claims);
        self.disputed = self.by_kind(contested);
        for front in fronts {
            let odd = (front.claims & board.odd).count();
            let near = board.roomy(reached | Cells::of(state.snakes()[front.snake].head));
            self.reach[front.snake] = Reach {
                rooms: self.by_kind(front.claims),
                colours: [front.claims.count() - odd, odd],
                near: front.near.count(),
                corridors: front.claims.without(near).count(),
                sealed: (board.spread(front.claims) & reached.without(front.claims)).is_empty(),
                foods: (front.claims & state.food).count(),
                food_steps: front.food_steps,
                food_cell: front.food_cell,
                tail_steps: front.tail_steps,
            };
        }
    }

    #[inline]
    fn by_kind(&self, cells: Cells<W>) -> [u32; KINDS] {
        let of = |kind: usize| (cells & self.kinds[kind]).count();
        if self.hurts { [of(0), of(1), of(2), of(3)] } else { [of(0), of(1), 0, 0] }
    }
}

impl Leaving {
    /// The cell that the body whose path is given leaves this turn.
    #[inline]
    fn opening<const W: usize>(&mut self, path: &[u16]) -> Cells<W> {
        if self.late {
            self.late = false;
            return Cells::EMPTY;
        }
        let cell = path.get(self.next as usize);
        self.next += 1;
        cell.map_or(Cells::EMPTY, |&cell| Cells::of(cell))
    }
}

impl<const W: usize> Front<W> {
    #[inline]
    fn of(state: &State<W>, snake: usize) -> Self {
        let about = &state.snakes()[snake];
        Self {
            snake,
            length: about.length,
            claims: Cells::EMPTY,
            near: Cells::EMPTY,
            fresh: Cells::of(about.head),
            tail: state.tail(snake),
            food_steps: FAR,
            food_cell: 0,
            tail_steps: FAR,
            body: Leaving { next: -i64::from(about.stack), late: false },
        }
    }

    /// Notes food and the own tail among the cells that are reached at this step.
    #[inline]
    fn note(&mut self, fresh: Cells<W>, steps: u32, food: Cells<W>, grows: bool) {
        if self.food_steps == FAR {
            let meals = fresh & food;
            if !meals.is_empty() {
                (self.food_steps, self.food_cell, self.body.late) = (steps, meals.lowest(), grows);
            }
        }
        if fresh.has(self.tail) {
            self.tail_steps = steps;
        }
    }
}

/// A front at each living head, longest snake first, equals by number.
fn fronts<const W: usize>(state: &State<W>) -> ([Front<W>; MOST_SNAKES], usize) {
    let mut fronts = [Front::of(state, 0); MOST_SNAKES];
    let mut count = 0;
    for (index, snake) in state.snakes().iter().enumerate().filter(|(_, snake)| snake.alive) {
        let mut at = count;
        while at > 0 && fronts[at - 1].length < snake.length {
            fronts[at] = fronts[at - 1];
            at -= 1;
        }
        fronts[at] = Front::of(state, index);
        count += 1;
    }
    (fronts, count)
}

fn bodies<const W: usize>(state: &State<W>) -> Cells<W> {
    state.snakes().iter().filter(|snake| snake.alive).fold(Cells::EMPTY, |all, snake| all | snake.body)
}

/// Moves each front on by one turn. Returns all that was reached and, apart from that, though among it, what several
/// longest snakes reach together.
fn advance<const W: usize>(board: &Board<W>, fronts: &mut [Front<W>], open: Cells<W>) -> (Cells<W>, Cells<W>) {
    let (mut taken, mut disputed) = (Cells::EMPTY, Cells::EMPTY);
    for equals in fronts.chunk_by_mut(|a, b| a.length == b.length) {
        let (mut seen, mut twice) = (Cells::EMPTY, Cells::EMPTY);
        for front in equals.iter_mut().filter(|front| !front.fresh.is_empty()) {
            front.fresh = (board.spread(front.fresh) & open).without(taken);
            twice |= front.fresh & seen;
            seen |= front.fresh;
        }
        for front in equals {
            front.fresh = front.fresh.without(twice);
        }
        taken |= seen;
        disputed |= twice;
    }
    (taken, disputed)
}
