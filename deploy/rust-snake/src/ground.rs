//! Whose ground is it, after each of my next two moves and two replies: the network's fixed layers, on bitboards.
//!
//! The port of the compiled form in `pipeline/evolution/territory_features.py`, which says what the numbers mean. The exported graph
//! holds the same layers as hundreds of ordinary operations; this takes microseconds where they take milliseconds.

use crate::slots::{AREA, FRAME, plane};

/// Pairs of my moves, 4 * first + second.
pub const MINE: usize = 16;
/// Pairs of the nearest opponent's moves, then: everywhere.
pub const REPLIES: usize = 17;
/// Numbers told of each pair of pairs.
pub const TOLD: usize = 8;
/// The most turns that can be flooded, and the least.
pub const STEPS: std::ops::RangeInclusive<usize> = 2..=64;
const SOON: usize = 5;
const EVERYWHERE: usize = REPLIES - 1;

/// What is told of each pair of pairs, 0 where one of them is not open; 1 where both moves of a pair are open.
pub struct Ground {
    pub told: Vec<f32>,
    pub mine: [f32; MINE],
    pub replies: [f32; REPLIES],
}

/// A set of cells; cell `y * 11 + x` is a bit, and those beyond cell 120 are never free.
type Cells = u128;

const LEFT: Cells = column(0);
const RIGHT: Cells = column(FRAME - 1);

const fn column(x: usize) -> Cells {
    let (mut cells, mut y) = (0, 0);
    while y < FRAME {
        cells |= 1 << (y * FRAME + x);
        y += 1;
    }
    cells
}

/// One cell up, down, left or right.
fn step(cells: Cells, way: usize) -> Cells {
    match way {
        0 => cells << FRAME,
        1 => cells >> FRAME,
        2 => (cells & !LEFT) >> 1,
        _ => (cells & !RIGHT) << 1,
    }
}

/// The cells and their neighbours.
fn wider(cells: Cells) -> Cells {
    (0..4).fold(cells, |wide, way| wide | step(cells, way))
}

/// What the planes show.
struct Picture {
    /// Free after so many turns; `steps + 1` sets.
    free: Vec<Cells>,
    head: Cells,
    food: Cells,
    /// Heads that beat me or tie, and heads that I beat.
    strong: Cells,
    weak: Cells,
    /// The heads nearest to mine.
    near: Cells,
    length: i32,
    near_length: i32,
}

impl Picture {
    fn of(planes: &[u8; 12 * AREA], steps: usize) -> Self {
        let set = |first: usize| (0..AREA).filter(|cell| planes[first + cell] > 0).fold(0, |set, cell| set | 1 << cell);
        let (head, strong, weak) = (set(plane::MY_HEAD), set(plane::STRONGER_HEADS), set(plane::WEAKER_HEADS));
        let near = nearest(head, strong | weak);
        let most =
            |first: usize, of: Cells| members(of).map(|cell| i32::from(planes[first + cell])).max().unwrap_or_default();
        let mut free = vec![0; steps + 1];
        for cell in members(set(plane::BOARD)) {
            let leaves = planes[plane::MY_BODY + cell].max(planes[plane::OTHER_BODIES + cell]).max(1);
            for after in free.iter_mut().skip(leaves.into()) {
                *after |= 1 << cell;
            }
        }
        Self {
            free,
            head,
            food: set(plane::FOOD),
            strong,
            weak,
            near,
            length: most(plane::MY_BODY, Cells::MAX >> (128 - AREA)),
            near_length: most(plane::OTHER_LENGTHS, near),
        }
    }
}

fn members(set: Cells) -> impl Iterator<Item = usize> {
    (0..AREA).filter(move |cell| (set >> cell) & 1 == 1)
}

/// Those of the others with the fewest steps to my head.
fn nearest(head: Cells, others: Cells) -> Cells {
    let mine = members(head).next().unwrap_or_default();
    let away = |cell: usize| (cell / FRAME).abs_diff(mine / FRAME) + (cell % FRAME).abs_diff(mine % FRAME);
    let least = members(others).map(away).min();
    members(others).filter(|&cell| Some(away(cell)) == least).fold(0, |set, cell| set | 1 << cell)
}

/// A pair of moves: the first and second cells, and what is reached after each turn.
struct Spread {
    first: Cells,
    second: Cells,
    reached: Vec<Cells>,
}

impl Spread {
    /// Lets `heads` make the pair of moves and spread from there; the rest of `whole` spreads from the start.
    fn of(picture: &Picture, heads: Cells, whole: Cells, pair: usize) -> Self {
        let (mut first, mut second, mut low) = (0, 0, whole);
        if pair != EVERYWHERE {
            low = whole & !heads;
            first = step(heads, pair / 4) & picture.free[1];
            second = step(first, pair % 4) & picture.free[2];
            if second == 0 {
                first = 0;
            }
        }
        let mut reached = vec![0];
        for (turn, free) in picture.free.iter().enumerate().skip(1) {
            let more = wider(low) & free & !first;
            low = if turn == 1 { more } else { low | more };
            if turn == 2 {
                low |= second & !first;
            }
            reached.push(low | first);
        }
        Self { first, second, reached }
    }
}

/// -1 if I run into a head or body that beats me, 1 if the opponent does.
fn clash(me: &Spread, strong: &Spread, weak: &Spread) -> f32 {
    let bad = (me.first & strong.first) | (me.second & (strong.second | strong.first | weak.first));
    let good = (me.first & (weak.first | strong.second | weak.second)) | (me.second & weak.second);
    if bad != 0 { -1.0 } else { f32::from(good != 0) }
}

/// Counts one pair of pairs; the first number is the caller's.
fn tell(picture: &Picture, me: &Spread, strong: &Spread, weak: &Spread, told: &mut [f32]) {
    let steps = picture.free.len() - 1;
    let (mut own, mut soon, mut eats): (Cells, u32, usize) = (0, 0, 0);
    for turn in 1..=steps {
        let new = me.reached[turn] & !me.reached[turn - 1] & !(strong.reached[turn] | weak.reached[turn - 1]);
        own |= new;
        if eats == 0 && new & picture.food != 0 {
            eats = steps + 1 - turn;
        }
        if turn <= SOON {
            soon = own.count_ones();
        }
    }
    let lost = (strong.reached[steps] | weak.reached[steps]) & !own;
    let food = lost & picture.food;
    let first = (1..=steps).find(|&turn| food & (strong.reached[turn] | weak.reached[turn]) != 0);
    let theirs = first.map_or(0, |turn| steps + 1 - turn);
    let (cells, others) = (own.count_ones() as f32, lost.count_ones() as f32);
    told[1] = cells / AREA as f32;
    told[2] = others / AREA as f32;
    told[3] = soon as f32 / 32.0;
    told[4] = (cells / picture.length.max(1) as f32).min(1.0);
    told[5] = (others / picture.near_length.max(1) as f32).min(1.0);
    told[6] = eats as f32 / steps as f32;
    told[7] = theirs as f32 / steps as f32;
}

/// Looks at a position's planes, flooding so many turns (one of `STEPS`).
pub fn survey(planes: &[u8; 12 * AREA], steps: usize) -> Ground {
    let picture = Picture::of(planes, steps);
    let spreads = |heads: Cells, whole: Cells, pairs: usize| -> Vec<Spread> {
        (0..pairs).map(|pair| Spread::of(&picture, heads, whole, pair)).collect()
    };
    let me = spreads(picture.head, picture.head, MINE);
    let strong = spreads(picture.strong & picture.near, picture.strong, REPLIES);
    let weak = spreads(picture.weak & picture.near, picture.weak, REPLIES);
    let mut ground = Ground { told: vec![0.0; MINE * REPLIES * TOLD], mine: [0.0; MINE], replies: [0.0; REPLIES] };
    for (open, side) in ground.mine.iter_mut().zip(&me) {
        *open = f32::from(side.second != 0);
    }
    for (reply, open) in ground.replies.iter_mut().enumerate() {
        *open = f32::from(reply == EVERYWHERE || strong[reply].second | weak[reply].second != 0);
    }
    for (at, told) in ground.told.chunks_exact_mut(TOLD).enumerate() {
        let (pair, reply) = (at / REPLIES, at % REPLIES);
        if ground.mine[pair] == 0.0 || ground.replies[reply] == 0.0 {
            continue;
        }
        told[0] = clash(&me[pair], &strong[reply], &weak[reply]);
        if told[0] >= 0.0 {
            tell(&picture, &me[pair], &strong[reply], &weak[reply], told);
        }
    }
    ground
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // all of them are whole numbers
mod tests {
    use super::{EVERYWHERE, MINE, REPLIES, TOLD, survey};
    use crate::slots::{AREA, FRAME, plane};

    fn alone(x: usize, y: usize) -> [u8; 12 * AREA] {
        let mut planes = [0; 12 * AREA];
        planes[plane::BOARD..plane::BOARD + AREA].fill(255);
        planes[plane::MY_HEAD + y * FRAME + x] = 100;
        planes[plane::MY_BODY + y * FRAME + x] = 3;
        planes
    }

    #[test]
    fn alone_everything_in_reach_is_mine() {
        let ground = survey(&alone(5, 5), 14);
        // Back to where my body still is, nobody goes: up down, down up, left right, right left.
        assert!((0..MINE).all(|pair| (ground.mine[pair] > 0.0) != [1, 4, 11, 14].contains(&pair)));
        // Up and up: what lies within twelve steps of there, and the first cell.
        let told = &ground.told[EVERYWHERE * TOLD..][..TOLD];
        assert_eq!(told, [0.0, 1.0, 0.0, told[3], 1.0, 0.0, 0.0, 0.0]);
        assert!(
            ground
                .told
                .chunks_exact(TOLD)
                .enumerate()
                .all(|(at, told)| at % REPLIES == EVERYWHERE || told == [0.0; TOLD])
        );
    }

    #[test]
    fn walls_close_moves() {
        let ground = survey(&alone(0, 0), 2);
        // Up up, up right, right up, right right; the way back is my own body.
        let open: Vec<usize> = (0..MINE).filter(|&pair| ground.mine[pair] > 0.0).collect();
        assert_eq!(open, [0, 3, 12, 15]);
    }

    #[test]
    fn a_stronger_head_beats_and_a_weaker_one_is_beaten() {
        for (heads, clash) in [(plane::STRONGER_HEADS, -1.0), (plane::WEAKER_HEADS, 1.0)] {
            let mut planes = alone(3, 5);
            planes[heads + 5 * FRAME + 5] = 3;
            planes[plane::OTHER_BODIES + 5 * FRAME + 5] = 3;
            let ground = survey(&planes, 6);
            // I go right and up, it goes left and down: both heads meet between.
            assert!((ground.told[(12 * REPLIES + 9) * TOLD] - clash).abs() < 1e-9);
        }
    }
}
