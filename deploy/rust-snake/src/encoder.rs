//! What the network sees of a position: the port of `pipeline/engine/encode.py`, equal to it byte for byte.

use crate::board::{Board, Cell, Snake};
use crate::rules::Rules;
use crate::slots::{AREA, CONTEXT, FEATURES, FRAME, PLANES, feature, plane};

/// The most snakes the engine's record holds.
const MOST_SEATS: usize = 16;
/// What stands for a distance to something that is not there.
const NOWHERE: i32 = 255;

/// One snake's view: planes (rows are y, from the bottom), features and context, as whole numbers.
pub struct Observation {
    pub planes: [u8; 12 * AREA],
    pub features: [u8; 32],
    pub context: [u8; 16],
}

impl Observation {
    /// Nothing but zeros.
    pub fn empty() -> Self {
        Self { planes: [0; 12 * AREA], features: [0; 32], context: [0; 16] }
    }

    /// The float form of the planes: each number times its plane's scale.
    pub fn plane_floats(&self) -> impl Iterator<Item = f32> + '_ {
        self.planes.iter().enumerate().map(|(at, &value)| f32::from(value) * PLANES[at / AREA].1)
    }

    pub fn feature_floats(&self) -> impl Iterator<Item = f32> + '_ {
        self.features.iter().zip(FEATURES).map(|(&value, (_, scale))| f32::from(value) * scale)
    }

    pub fn context_floats(&self) -> impl Iterator<Item = f32> + '_ {
        self.context.iter().zip(CONTEXT).map(|(&value, (_, scale))| f32::from(value) * scale)
    }
}

/// Encodes the position of the snake that is asked. `seats` is the number of snakes that began the game.
///
/// # Errors
/// The encoder has no form for this game: its board is larger than the frame, its ruleset or number of snakes unknown.
pub fn encode(board: &Board, rules: &Rules, turn: i64, seats: usize) -> Result<Observation, String> {
    if board.width > FRAME || board.height > FRAME {
        return Err(format!("a board of {}x{} does not fit {FRAME}x{FRAME}", board.width, board.height));
    }
    if !rules.known {
        return Err("the encoder does not know this ruleset".into());
    }
    if seats > MOST_SEATS {
        return Err(format!("{seats} snakes are more than the encoder's {MOST_SEATS}"));
    }
    let view = View::of(board);
    let mut seen = Observation::empty();
    view.write_planes(&mut seen.planes);
    seen.features = view.features(&seen.planes);
    seen.context = view.context(rules, turn, seats);
    Ok(seen)
}

/// A count cut to what a byte holds.
fn byte(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}

/// Steps up, down, left, right from one cell to another; both ways round where edges wrap and both are equally short.
type Way = [i32; 4];

fn steps(way: Way) -> i32 {
    way[0].max(way[1]) + way[2].max(way[3])
}

struct View<'a> {
    board: &'a Board,
    me: &'a Snake,
    mine: i32,
    left: usize,
    bottom: usize,
}

impl<'a> View<'a> {
    fn of(board: &'a Board) -> Self {
        let me = &board.snakes[board.me];
        let (left, bottom) = ((FRAME - board.width) / 2, (FRAME - board.height) / 2);
        Self { board, me, mine: me.length as i32, left, bottom }
    }

    /// Where a cell lies in a plane.
    fn place(&self, cell: Cell) -> usize {
        (self.bottom + cell / self.board.width) * FRAME + self.left + cell % self.board.width
    }

    fn others(&self) -> impl Iterator<Item = &'a Snake> + use<'a> {
        let board = self.board;
        board.snakes.iter().enumerate().filter(move |(index, _)| *index != board.me).map(|(_, snake)| snake)
    }

    fn write_planes(&self, planes: &mut [u8]) {
        self.write_ground(planes);
        for other in self.others() {
            self.write_other(other, planes);
        }
        for (cell, turns) in self.me.leaving() {
            planes[plane::MY_BODY + self.place(cell)] = byte(turns as i32);
        }
        planes[plane::MY_HEAD + self.place(self.me.head())] = byte(self.me.health);
    }

    fn write_ground(&self, planes: &mut [u8]) {
        let (width, height) = (self.board.width, self.board.height);
        for cell in 0..width * height {
            let (x, y) = (cell % width, cell / width);
            let walls = [x == 0, x == width - 1, y == 0, y == height - 1].map(u8::from).iter().sum::<u8>();
            planes[plane::BOARD + self.place(cell)] = if self.board.wrapped { 255 } else { 255 - 85 * walls };
            planes[plane::HAZARDS + self.place(cell)] = self.board.hazards[cell];
        }
        for &cell in &self.board.food {
            planes[plane::FOOD + self.place(cell)] = 255;
        }
    }

    fn write_other(&self, other: &Snake, planes: &mut [u8]) {
        let length = other.length as i32;
        for (cell, turns) in other.leaving() {
            planes[plane::OTHER_BODIES + self.place(cell)] = byte(turns as i32);
            planes[plane::OTHER_LENGTHS + self.place(cell)] = byte(length);
        }
        let head = self.place(other.head());
        planes[plane::OTHER_HEADS + head] = byte(other.health);
        let reach = if length >= self.mine {
            planes[plane::STRONGER_HEADS + head] = byte(1 + length - self.mine);
            plane::THREATS
        } else {
            planes[plane::WEAKER_HEADS + head] = byte(self.mine - length);
            plane::PREY
        };
        for direction in 0..4 {
            if let Some(there) = self.board.open_neighbour(other.head(), direction) {
                planes[reach + self.place(there)] = 255;
            }
        }
    }

    /// The features; the planes of threats and prey stand already.
    fn features(&self, planes: &[u8]) -> [u8; 32] {
        let mut row = [0; 32];
        let longest = self.others().map(|other| other.length as i32).max().unwrap_or(0);
        row[feature::HEALTH] = byte(self.me.health);
        row[feature::LENGTH] = byte(self.mine);
        row[feature::LEAD] = byte(self.mine - longest);
        row[feature::LAG] = byte(longest - self.mine);
        row[feature::TAIL_WAITS] = byte(self.me.stack as i32 - 1);
        self.write_moves(planes, &mut row);
        let food = self.board.food.iter().copied();
        row[feature::FOOD_STEPS] = self.write_nearest(food, feature::FOOD, &mut row);
        row[feature::HEAD_STEPS] = self.write_nearest(self.others().map(Snake::head), feature::HEAD, &mut row);
        row[feature::TAIL_STEPS] = byte(steps(self.way_to(self.me.tail())));
        row
    }

    fn write_moves(&self, planes: &[u8], row: &mut [u8]) {
        for direction in 0..4 {
            let Some(there) = self.board.open_neighbour(self.me.head(), direction) else { continue };
            let exits = (0..4).filter(|&onward| self.board.open_neighbour(there, onward).is_some()).count();
            row[feature::OPEN + direction] = 255;
            row[feature::THREAT + direction] = planes[plane::THREATS + self.place(there)];
            row[feature::PREY + direction] = planes[plane::PREY + self.place(there)];
            row[feature::EXITS + direction] = exits as u8;
        }
    }

    /// Writes the way to the nearest of some cells, the first of those equally near, and returns its steps.
    fn write_nearest(&self, cells: impl Iterator<Item = Cell>, first: usize, row: &mut [u8]) -> u8 {
        let nearest = cells.map(|cell| self.way_to(cell)).min_by_key(|&way| steps(way));
        let Some(way) = nearest else { return NOWHERE as u8 };
        for (slot, away) in row[first..first + 4].iter_mut().zip(way) {
            *slot = byte(away);
        }
        byte(steps(way))
    }

    fn way_to(&self, cell: Cell) -> Way {
        let width = self.board.width;
        let head = self.me.head();
        let [right, left] = self.along((cell % width) as i32 - (head % width) as i32, width as i32);
        let [up, down] = self.along((cell / width) as i32 - (head / width) as i32, self.board.height as i32);
        [up, down, left, right]
    }

    /// Steps forwards and backwards along one axis: the shorter way where edges wrap, both where equal.
    fn along(&self, away: i32, side: i32) -> [i32; 2] {
        if !self.board.wrapped {
            return [away.max(0), (-away).max(0)];
        }
        let (forwards, backwards) = (away.rem_euclid(side), (-away).rem_euclid(side));
        match forwards.cmp(&backwards) {
            std::cmp::Ordering::Less => [forwards, 0],
            std::cmp::Ordering::Equal => [forwards, backwards],
            std::cmp::Ordering::Greater => [0, backwards],
        }
    }

    fn context(&self, rules: &Rules, turn: i64, seats: usize) -> [u8; 16] {
        let flag = |stands: bool| if stands { 255 } else { 0 };
        let board = self.board;
        let bodies: usize = board.snakes.iter().map(|snake| snake.length).sum();
        [
            (turn >> 2).clamp(0, 255) as u8,
            byte(board.snakes.len() as i32 - 1),
            byte(seats as i32),
            byte(board.width as i32),
            byte(board.height as i32),
            flag(rules.wrapped),
            flag(rules.constrictor),
            flag(rules.closing),
            flag(rules.solo || seats == 1),
            byte(rules.damage),
            byte(-rules.damage),
            byte(board.hazard_cells as i32),
            byte(bodies as i32),
            byte(board.food.len() as i32),
            byte(rules.food_chance),
            byte(rules.minimum_food),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::{Observation, encode};
    use crate::api::Request;
    use crate::board::Board;
    use crate::board::tests::request;
    use crate::rules::Rules;
    use crate::slots::{FRAME, feature, plane};

    fn seen(request: &Request) -> Result<Observation, String> {
        let rules = Rules::of(&request.game);
        encode(&Board::of(request, &rules).unwrap(), &rules, request.turn, request.board.snakes.len())
    }

    #[test]
    fn a_smaller_board_stands_in_the_middle_and_walls_show() {
        let view = seen(&request(7, 4, &[(90, &[(0, 0), (0, 1), (0, 2)])], &[(6, 3)])).unwrap();
        let at = |x: usize, y: usize| (3 + y) * FRAME + 2 + x;
        assert_eq!(view.planes[plane::BOARD + at(0, 0)], 85);
        assert_eq!(view.planes[plane::BOARD + at(3, 1)], 255);
        assert_eq!(view.planes[plane::FOOD + at(6, 3)], 255);
        assert_eq!(view.planes[..3 * FRAME].iter().map(|&v| u32::from(v)).sum::<u32>(), 0);
        assert_eq!(view.planes[plane::MY_BODY + at(0, 0)], 3);
    }

    #[test]
    fn who_wins_a_meeting_of_heads_shows() {
        let duel = [(90, &[(1, 1), (1, 0), (0, 0)][..]), (80, &[(3, 1), (3, 0), (4, 0), (5, 0)][..])];
        let view = seen(&request(11, 11, &duel, &[])).unwrap();
        assert_eq!(view.planes[plane::STRONGER_HEADS + FRAME + 3], 2);
        assert_eq!(view.features[feature::THREAT..feature::THREAT + 4], [0, 0, 0, 255]);
        assert_eq!((view.features[feature::LAG], view.features[feature::HEAD_STEPS]), (1, 2));
    }

    #[test]
    fn where_edges_wrap_both_equal_ways_show() {
        let mut torus = request(8, 8, &[(90, &[(0, 0), (0, 1), (0, 2)])], &[(4, 7)]);
        torus.game.ruleset.name = "wrapped".into();
        let view = seen(&torus).unwrap();
        assert_eq!(view.features[feature::FOOD..feature::FOOD + 4], [0, 1, 4, 4]);
        assert_eq!(view.features[feature::FOOD_STEPS], 5);
    }

    #[test]
    fn games_beyond_the_encoder_are_refused_with_the_reason() {
        let wide = request(12, 5, &[(90, &[(0, 0)])], &[]);
        let mut unknown = request(5, 5, &[(90, &[(0, 0)])], &[]);
        unknown.game.ruleset.name = "chess".into();
        assert!(seen(&wide).err().unwrap().contains("12x5"));
        assert!(seen(&unknown).err().unwrap().contains("ruleset"));
    }
}
