//! A request's board, checked, on flat arrays.

use crate::api::{Point, Request};
use crate::rules::Rules;

/// The longest side that is played at all.
const MOST_SIDE: u32 = 64;
/// The most snakes that are played against at all.
const MOST_SNAKES: usize = 64;

/// The steps up, down, left, right; the index is the move's number.
const STEPS: [(i32, i32); 4] = [(0, 1), (0, -1), (-1, 0), (1, 0)];

/// A cell's number: `y * width + x`.
pub type Cell = usize;

/// A living snake.
pub struct Snake {
    pub health: i32,
    /// Body entries, stacked ones included.
    pub length: usize,
    /// Entries that lie on the tail's cell, at least 1: so many turns until that cell is left.
    pub stack: usize,
    /// The cells, tail first and head last, the tail's once.
    pub path: Vec<Cell>,
}

impl Snake {
    pub fn head(&self) -> Cell {
        self.path[self.path.len() - 1]
    }

    pub fn tail(&self) -> Cell {
        self.path[0]
    }

    /// The cells with the turns until each is left if the snake does not eat.
    pub fn leaving(&self) -> impl Iterator<Item = (Cell, usize)> + '_ {
        self.path.iter().enumerate().map(|(index, &cell)| (cell, index + self.stack))
    }
}

/// One position, as one snake is asked about it.
pub struct Board {
    pub width: usize,
    pub height: usize,
    pub wrapped: bool,
    pub snakes: Vec<Snake>,
    /// Index of the snake that is asked.
    pub me: usize,
    /// Cells with food, in the request's order.
    pub food: Vec<Cell>,
    /// Hazards stacked on each cell.
    pub hazards: Vec<u8>,
    /// Cells with a hazard, those just off the board included.
    pub hazard_cells: usize,
    /// Whose living body covers each cell: index + 1, 0 for nobody's.
    owner: Vec<u8>,
}

impl Board {
    /// Lays out a request. Hazards more than one cell off the board are nobody's danger and left out.
    ///
    /// # Errors
    /// The request shows no board that can be played: sizes, a body that is absent or off the board, no snake of ours.
    pub fn of(request: &Request, rules: &Rules) -> Result<Self, String> {
        let text = &request.board;
        if !(1..=MOST_SIDE).contains(&text.width) || !(1..=MOST_SIDE).contains(&text.height) {
            let (width, height) = (text.width, text.height);
            return Err(format!("a board of {width} x {height} is not played; sides are 1 to {MOST_SIDE}"));
        }
        if text.snakes.len() > MOST_SNAKES {
            return Err(format!("{} snakes are not played; at most {MOST_SNAKES}", text.snakes.len()));
        }
        let id = &request.you.id;
        let me = text.snakes.iter().position(|snake| snake.id == *id);
        let mut board = Self {
            width: text.width as usize,
            height: text.height as usize,
            wrapped: rules.wrapped,
            snakes: Vec::with_capacity(text.snakes.len()),
            me: me.ok_or_else(|| format!("you.id {id:?} is none of the board's snakes"))?,
            food: Vec::new(),
            hazards: vec![0; (text.width * text.height) as usize],
            hazard_cells: 0,
            owner: vec![0; (text.width * text.height) as usize],
        };
        for snake in &text.snakes {
            board.add_snake(&snake.body, snake.health).map_err(|what| format!("snake {:?} {what}", snake.id))?;
        }
        board.food = text.food.iter().filter_map(|&point| board.cell(point)).collect();
        board.add_hazards(&text.hazards);
        Ok(board)
    }

    fn cell(&self, point: Point) -> Option<Cell> {
        let (x, y) = (usize::try_from(point.x).ok()?, usize::try_from(point.y).ok()?);
        (x < self.width && y < self.height).then(|| y * self.width + x)
    }

    fn add_snake(&mut self, body: &[Point], health: i32) -> Result<(), String> {
        let tail = body.last().ok_or("has no body")?;
        let stack = body.iter().filter(|&point| point == tail).count();
        let owner = self.snakes.len() as u8 + 1;
        let mut path = Vec::with_capacity(body.len());
        for &point in body[..=body.len() - stack].iter().rev() {
            let cell = self.cell(point).ok_or_else(|| format!("lies off the board at ({}, {})", point.x, point.y))?;
            self.owner[cell] = owner;
            path.push(cell);
        }
        self.snakes.push(Snake { health, length: body.len(), stack, path });
        Ok(())
    }

    fn add_hazards(&mut self, hazards: &[Point]) {
        let stride = self.width + 2;
        let mut counts = vec![0u8; stride * (self.height + 2)];
        for point in hazards {
            if (-1..=self.width as i32).contains(&point.x) && (-1..=self.height as i32).contains(&point.y) {
                let at = (point.y + 1) as usize * stride + (point.x + 1) as usize;
                self.hazard_cells += usize::from(counts[at] == 0);
                counts[at] = counts[at].saturating_add(1);
            }
        }
        for (cell, hazard) in self.hazards.iter_mut().enumerate() {
            *hazard = counts[(cell / self.width + 1) * stride + cell % self.width + 1];
        }
    }

    /// The cell next to `cell`, across the edge where edges wrap; None off the board.
    pub fn neighbour(&self, cell: Cell, direction: usize) -> Option<Cell> {
        let (dx, dy) = STEPS[direction];
        let (x, y) = ((cell % self.width) as i32 + dx, (cell / self.width) as i32 + dy);
        if self.wrapped {
            return self.cell(Point { x: x.rem_euclid(self.width as i32), y: y.rem_euclid(self.height as i32) });
        }
        self.cell(Point { x, y })
    }

    /// The cell next to `cell`, if neither wall nor a body that is still there next turn forbids it.
    pub fn open_neighbour(&self, cell: Cell, direction: usize) -> Option<Cell> {
        self.neighbour(cell, direction).filter(|&there| self.is_open(there))
    }

    fn is_open(&self, cell: Cell) -> bool {
        let owner = self.owner[cell] as usize;
        owner == 0 || (self.snakes[owner - 1].tail() == cell && self.snakes[owner - 1].stack == 1)
    }

    /// The moves that neither wall nor staying body forbids; all four where there is none.
    pub fn legal_moves(&self) -> [bool; 4] {
        let head = self.snakes[self.me].head();
        let open: [bool; 4] = std::array::from_fn(|direction| self.open_neighbour(head, direction).is_some());
        if open.contains(&true) { open } else { [true; 4] }
    }
}

#[cfg(test)]
pub mod tests {
    use super::Board;
    use crate::api::{Request, read};
    use crate::rules::Rules;

    /// A request on a standard board: snakes as (health, x and y of the body), the first is asked.
    pub fn request(width: u32, height: u32, snakes: &[(i32, &[(i32, i32)])], food: &[(i32, i32)]) -> Request {
        let points = |cells: &[(i32, i32)]| {
            cells.iter().map(|(x, y)| format!(r#"{{"x":{x},"y":{y}}}"#)).collect::<Vec<_>>().join(",")
        };
        let bodies: Vec<String> = snakes
            .iter()
            .enumerate()
            .map(|(i, (health, body))| format!(r#"{{"id":"s{i}","health":{health},"body":[{}]}}"#, points(body)))
            .collect();
        let text = format!(
            r#"{{"game":{{"id":"g","ruleset":{{"name":"standard"}},"timeout":500}},"turn":9,"board":{{"width":{width},
            "height":{height},"snakes":[{}],"food":[{}]}},"you":{{"id":"s0"}}}}"#,
            bodies.join(","),
            points(food)
        );
        read(text.as_bytes()).unwrap()
    }

    fn laid_out(request: &Request) -> Result<Board, String> {
        Board::of(request, &Rules::of(&request.game))
    }

    #[test]
    fn a_leaving_tail_may_be_entered_and_a_stacked_one_not() {
        let moving = request(5, 5, &[(90, &[(1, 1), (1, 2), (2, 2), (2, 1)])], &[]);
        let eaten = request(5, 5, &[(90, &[(1, 1), (1, 2), (2, 2), (2, 1), (2, 1)])], &[]);
        assert_eq!(laid_out(&moving).unwrap().legal_moves(), [false, true, true, true]);
        assert_eq!(laid_out(&eaten).unwrap().legal_moves(), [false, true, true, false]);
    }

    #[test]
    fn where_no_move_is_open_all_are_legal_as_the_network_was_trained() {
        let corner = request(3, 3, &[(90, &[(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)])], &[]);
        assert_eq!(laid_out(&corner).unwrap().legal_moves(), [true; 4]);
    }

    #[test]
    fn edges_wrap_only_where_the_rules_say_so() {
        let mut edge = request(4, 4, &[(90, &[(0, 0), (0, 1), (0, 2)])], &[]);
        assert_eq!(laid_out(&edge).unwrap().legal_moves(), [false, false, false, true]);
        edge.game.ruleset.name = "wrapped".into();
        assert_eq!(laid_out(&edge).unwrap().legal_moves(), [false, true, true, true]);
    }

    #[test]
    fn hazards_stack_and_those_just_off_the_board_are_counted_only() {
        let mut hazards = request(4, 4, &[(90, &[(0, 0), (0, 1)])], &[(9, 9), (1, 1)]);
        hazards.board.hazards =
            [(1, 1), (1, 1), (-1, 0), (4, 4), (5, 0)].map(|(x, y)| crate::api::Point { x, y }).to_vec();
        let board = laid_out(&hazards).unwrap();
        assert_eq!((board.hazards[5], board.hazard_cells, board.food.len()), (2, 3, 1));
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_the_reason() {
        for (bad, says) in [
            (request(0, 5, &[(9, &[(0, 0)])], &[]), "0 x 5"),
            (request(65, 5, &[(9, &[(0, 0)])], &[]), "65 x 5"),
            (request(5, 5, &[(9, &[(0, 5)])], &[]), "off the board at (0, 5)"),
            (request(5, 5, &[(9, &[])], &[]), "no body"),
            (request(5, 5, &[], &[]), "\"s0\""),
        ] {
            assert!(laid_out(&bad).err().unwrap().contains(says));
        }
    }
}
