//! A position, played forwards and taken back by the official rules.

use std::sync::Arc;

use crate::board::{Board, WALL};
use crate::cells::Cells;

/// The most snakes of a position.
pub const MOST_SNAKES: usize = 8;
/// The most turns that may be played ahead of the position that was set up.
pub const MOST_PLIES: usize = 64;
/// The health after a meal.
pub const FULL_HEALTH: i32 = 100;

/// One move for each snake, by its number.
pub type JointMove = [u8; MOST_SNAKES];

/// One snake of a position; the dead keep their place.
#[derive(Clone, Copy, Debug)]
pub struct Snake<const W: usize> {
    pub alive: bool,
    pub head: u16,
    pub length: i32,
    pub health: i32,
    /// Further body entries on the tail's cell: so many turns the tail stays where it is.
    pub stack: u32,
    /// The cells of its body.
    pub body: Cells<W>,
    /// Names the way its head came since the position was set up.
    pub way: u64,
    head_at: u32,
    tail_at: u32,
}

/// What a turn changed.
#[derive(Clone, Debug)]
pub struct Undo<const W: usize> {
    snakes: [Snake<W>; MOST_SNAKES],
    food: Cells<W>,
    living: u32,
}

/// A position. Food and hazards of later turns are unknown and not guessed.
#[derive(Clone, Debug)]
pub struct State<const W: usize> {
    pub board: Arc<Board<W>>,
    /// The number of snakes, the dead included.
    pub count: usize,
    pub living: u32,
    pub food: Cells<W>,
    /// The cells with a hazard; `hazard_layers` says how many lie on each.
    pub hazards: Cells<W>,
    pub hazard_layers: Vec<u8>,
    /// Health lost per layer; negative heals.
    pub hazard_damage: i32,
    /// Nobody eats, nobody's tail ever moves.
    pub constrictor: bool,
    snakes: [Snake<W>; MOST_SNAKES],
    paths: Vec<Vec<u16>>,
}

impl<const W: usize> Snake<W> {
    const ABSENT: Self = Self {
        alive: false,
        head: 0,
        length: 0,
        health: 0,
        stack: 0,
        body: Cells::EMPTY,
        way: 0,
        head_at: 0,
        tail_at: 0,
    };
}

impl<const W: usize> Undo<W> {
    pub const NOTHING: Self = Self { snakes: [Snake::ABSENT; MOST_SNAKES], food: Cells::EMPTY, living: 0 };
}

impl<const W: usize> State<W> {
    /// An empty board.
    pub fn new(board: Arc<Board<W>>) -> Self {
        Self {
            count: 0,
            living: 0,
            food: Cells::EMPTY,
            hazards: Cells::EMPTY,
            hazard_layers: vec![0; board.cells()],
            hazard_damage: 0,
            constrictor: false,
            snakes: [Snake::ABSENT; MOST_SNAKES],
            paths: Vec::new(),
            board,
        }
    }

    /// Adds a living snake.
    ///
    /// # Errors
    /// There are `MOST_SNAKES` already, or the body, head first, is empty or not on the board.
    pub fn add_snake(&mut self, health: i32, body: &[u16]) -> Result<(), String> {
        let cells = self.board.cells();
        let Some((&head, &tail)) = body.first().zip(body.last()) else { return Err("has no body".into()) };
        if self.count == MOST_SNAKES {
            return Err(format!("is one too many; at most {MOST_SNAKES} are played"));
        }
        if body.iter().any(|&cell| usize::from(cell) >= cells) {
            return Err("does not lie on the board".into());
        }
        let stack = body.iter().rev().skip(1).take_while(|&&cell| cell == tail).count();
        let mut path: Vec<u16> = body[..body.len() - stack].iter().rev().copied().collect();
        let head_at = path.len() as u32 - 1;
        self.snakes[self.count] = Snake {
            alive: true,
            head,
            length: body.len() as i32,
            health,
            stack: stack as u32,
            body: path.iter().copied().collect(),
            way: self.count as u64 + 1,
            head_at,
            tail_at: 0,
        };
        path.resize(path.len() + MOST_PLIES, 0);
        self.paths.push(path);
        self.count += 1;
        self.living += 1;
        Ok(())
    }

    /// Adds one layer of hazard to a cell.
    pub fn add_hazard(&mut self, cell: u16) {
        let layers = &mut self.hazard_layers[usize::from(cell)];
        *layers = layers.saturating_add(1);
        self.hazards.insert(cell);
    }

    /// All snakes, the dead in their place.
    #[inline]
    pub fn snakes(&self) -> &[Snake<W>] {
        &self.snakes[..self.count]
    }

    /// The living snakes other than `me`, with their numbers.
    #[inline]
    pub fn rivals(&self, me: usize) -> impl Iterator<Item = (usize, &Snake<W>)> {
        self.snakes().iter().enumerate().filter(move |(index, snake)| *index != me && snake.alive)
    }

    /// The cells of a snake's body once each, tail first.
    #[inline]
    pub fn path(&self, index: usize) -> &[u16] {
        let snake = &self.snakes[index];
        &self.paths[index][snake.tail_at as usize..=snake.head_at as usize]
    }

    #[inline]
    pub fn tail(&self, index: usize) -> u16 {
        self.paths[index][self.snakes[index].tail_at as usize]
    }

    /// The cells that no head survives on next turn, whatever the others do short of dying: bodies without the tails
    /// that move away.
    #[inline]
    pub fn standing(&self) -> Cells<W> {
        let mut cells = Cells::EMPTY;
        for (index, snake) in self.snakes().iter().enumerate().filter(|(_, snake)| snake.alive) {
            let mut body = snake.body;
            if snake.stack == 0 {
                body.remove(self.tail(index));
            }
            cells |= body;
        }
        cells
    }

    /// The cells that are still under a body two turns from now if nobody eats.
    pub fn standing_two_turns(&self) -> Cells<W> {
        let mut cells = Cells::EMPTY;
        for (index, snake) in self.snakes().iter().enumerate().filter(|(_, snake)| snake.alive) {
            let mut body = snake.body;
            if !self.constrictor {
                let path = self.path(index);
                let leaving = 2usize.saturating_sub(snake.stack as usize);
                path.iter().take(leaving).for_each(|&cell| body.remove(cell));
            }
            cells |= body;
        }
        cells
    }

    /// Plays one turn: move, starve, hazards, feed, eliminate and, in constrictor, grow.
    pub fn step(&mut self, moves: &JointMove, undo: &mut Undo<W>) {
        undo.snakes[..self.count].copy_from_slice(&self.snakes[..self.count]);
        (undo.food, undo.living) = (self.food, self.living);
        for (index, &direction) in moves.iter().enumerate().take(self.count) {
            if self.snakes[index].alive {
                self.advance(index, direction);
            }
        }
        self.feed();
        self.eliminate();
        for snake in self.snakes[..self.count].iter_mut().filter(|snake| snake.alive) {
            snake.body.insert(snake.head);
            if self.constrictor {
                snake.health = FULL_HEALTH;
                if snake.stack == 0 {
                    (snake.stack, snake.length) = (1, snake.length + 1);
                }
            }
        }
    }

    /// Takes back the turn that `undo` holds, the last one.
    pub fn undo(&mut self, undo: &Undo<W>) {
        self.snakes[..self.count].copy_from_slice(&undo.snakes[..self.count]);
        (self.food, self.living) = (undo.food, undo.living);
    }

    /// Moves one head, lets the tail follow, takes hunger and hazards. The head is no part of the body yet.
    #[inline]
    fn advance(&mut self, index: usize, direction: u8) {
        let tail = self.tail(index);
        let snake = &mut self.snakes[index];
        if snake.stack > 0 {
            snake.stack -= 1;
        } else {
            snake.body.remove(tail);
            snake.tail_at += 1;
        }
        snake.head = self.board.next[usize::from(snake.head)][usize::from(direction & 3)];
        snake.head_at += 1;
        snake.health -= 1;
        snake.way = (snake.way ^ u64::from(direction)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        if snake.head == WALL {
            snake.alive = false;
            return;
        }
        self.paths[index][snake.head_at as usize] = snake.head;
        if self.hazards.has(snake.head) && !self.food.has(snake.head) {
            for _ in 0..self.hazard_layers[usize::from(snake.head)] {
                snake.health = (snake.health - self.hazard_damage).clamp(0, FULL_HEALTH);
                if snake.health <= 0 {
                    snake.alive = false; // dies before it could eat, and blocks nobody
                    return;
                }
            }
        }
    }

    #[inline]
    fn feed(&mut self) {
        let mut eaten = Cells::EMPTY;
        for snake in self.snakes[..self.count].iter_mut().filter(|snake| snake.alive) {
            if self.food.has(snake.head) {
                snake.health = FULL_HEALTH;
                snake.length += 1;
                snake.stack += 1;
                eaten.insert(snake.head);
            } else if snake.health <= 0 {
                snake.alive = false; // starved: blocks nobody
            }
        }
        self.food = self.food.without(eaten);
    }

    /// Judges collisions from one common picture: bodies, then heads on one cell by length.
    #[inline]
    fn eliminate(&mut self) {
        let mut bodies = Cells::EMPTY;
        for snake in self.snakes().iter().filter(|snake| snake.alive) {
            bodies |= snake.body;
        }
        let mut dies = [false; MOST_SNAKES];
        for (index, snake) in self.snakes().iter().enumerate().filter(|(_, snake)| snake.alive) {
            dies[index] = bodies.has(snake.head)
                || self.rivals(index).any(|(_, other)| other.head == snake.head && other.length >= snake.length);
        }
        self.living = 0;
        for (snake, dies) in self.snakes[..self.count].iter_mut().zip(dies) {
            snake.alive &= !dies;
            self.living += u32::from(snake.alive);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{State, Undo};
    use crate::board::Board;

    fn state(bodies: &[&[u16]]) -> State<2> {
        let mut state = State::new(Arc::new(Board::new(5, 5, false).unwrap()));
        for body in bodies {
            state.add_snake(50, body).unwrap();
        }
        state
    }

    #[test]
    fn a_turn_is_taken_back_whole() {
        let mut state = state(&[&[6, 5, 0, 0], &[18, 13, 12]]);
        state.food.insert(7);
        let before = format!("{:?}", state.snakes());
        let mut undo = Undo::NOTHING;
        state.step(&[3, 0, 0, 0, 0, 0, 0, 0], &mut undo);
        assert_eq!((state.snakes()[0].length, state.snakes()[0].health, state.food.count()), (5, 100, 0));
        assert_eq!((state.path(0), state.path(1)), (&[0, 5, 6, 7][..], &[13, 18, 23][..]));
        state.undo(&undo);
        assert_eq!((format!("{:?}", state.snakes()), state.food.count()), (before, 1));
    }

    #[test]
    fn the_longer_head_lives_and_equal_ones_die() {
        let mut undo = Undo::NOTHING;
        for (longer, living) in [(&[6, 5, 0, 1, 2][..], 1), (&[6, 5, 0][..], 0)] {
            let mut state = state(&[longer, &[8, 9, 14]]);
            state.step(&[3, 2, 0, 0, 0, 0, 0, 0], &mut undo);
            assert_eq!(state.living, living);
        }
    }

    #[test]
    fn bodies_that_cannot_be_are_refused() {
        let mut state = state(&[]);
        assert!(state.add_snake(9, &[]).is_err() && state.add_snake(9, &[25]).is_err());
        for _ in 0..8 {
            state.add_snake(9, &[3]).unwrap();
        }
        assert!(state.add_snake(9, &[3]).unwrap_err().contains("at most 8"));
    }
}
