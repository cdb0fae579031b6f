//! What the learned evaluation is shown of a position: the Go snake's `brain/features.go`, number for number.

use crate::cells::Cells;
use crate::evaluation::open_steps;
use crate::leaf_eval::{LeafEval, Shown};
use crate::state::{FULL_HEALTH, Snake, State};
use crate::territory::Territory;

/// Whether the learned evaluation was fitted for games like the one at `root`.
pub fn covers<const W: usize>(learned: &LeafEval, root: &State<W>) -> bool {
    let board = &root.board;
    (board.width, board.height) == (learned.width, learned.height)
        && board.cells() <= 128 // the Go snake's flood of larger boards does not count what is near
        && !board.wrapped
        && !root.constrictor
        && root.hazards.is_empty()
        && root.count > 1
}

/// The position with an opponent, as `me` sees it; its territory has been filled.
pub fn show<const W: usize>(state: &State<W>, territory: &Territory<W>, me: usize, standing: Cells<W>) -> Shown {
    let mut shown: Shown = [0; _];
    let seen = Seen { state, territory, me, standing };
    let mine = seen.snake(me);
    let (mut near, mut second) = ((u32::MAX, me), (u32::MAX, me));
    let (mut longest, mut lengths, mut room, mut dangers) = (0, mine.length, 0, 0);
    for (index, rival) in state.rivals(me) {
        let distance = state.board.distance(mine.head, rival.head);
        if distance < near.0 {
            (near, second) = ((distance, index), near);
        } else if distance < second.0 {
            second = (distance, index);
        }
        longest = longest.max(rival.length);
        lengths += rival.length;
        room += territory.of(index).room();
        dangers += u16::from(rival.length >= mine.length && distance <= 4);
    }
    let him = near.1;
    shown[..13].copy_from_slice(&seen.one(me));
    shown[13..26].copy_from_slice(&seen.one(him));
    shown[26..34].copy_from_slice(&seen.pair(him, near.0));
    shown[34] = (lengths / 4).min(24) as u16;
    shown[35] = state.food.count().min(9) as u16;
    shown[36] = state.living.min(5) as u16 - 2;
    shown[37] = clipped(mine.length - longest, 12);
    shown[38] = (room / 4).min(30) as u16;
    shown[39] = dangers.min(3);
    shown[40] = if second.0 == u32::MAX {
        15
    } else {
        clipped(mine.length - seen.snake(second.1).length, 1) * 16 + second.0.min(14) as u16
    };
    shown
}

struct Seen<'a, const W: usize> {
    state: &'a State<W>,
    territory: &'a Territory<W>,
    me: usize,
    standing: Cells<W>,
}

impl<const W: usize> Seen<'_, W> {
    fn snake(&self, index: usize) -> &Snake<W> {
        &self.state.snakes()[index]
    }

    fn column_and_row(&self, cell: u16) -> (i32, i32) {
        let width = self.state.board.width as i32;
        (i32::from(cell) % width, i32::from(cell) / width)
    }

    /// The thirteen numbers of one snake.
    fn one(&self, index: usize) -> [u16; 13] {
        let (snake, reach) = (self.snake(index), self.territory.of(index));
        let (room, food) = (reach.room(), reach.food_steps.min(21));
        let health = snake.health.clamp(0, FULL_HEALTH);
        let (x, y) = self.column_and_row(snake.head);
        let board = &self.state.board;
        [
            (room / 2).min(60) as u16,
            (room * 4 / snake.length as u32).min(31) as u16,
            reach.near.min(47) as u16,
            food as u16,
            reach.tail_steps.min(25) as u16,
            (health / 4) as u16,
            reach.corridors.min(20) as u16,
            open_steps(self.state, index, self.standing) as u16,
            (snake.length.clamp(3, 34) - 3) as u16,
            folded(x.min(board.width as i32 - 1 - x), y.min(board.height as i32 - 1 - y)),
            2 * reach.foods.min(5) as u16 + u16::from(reach.sealed),
            self.territory.idle(self.state, index).min(15) as u16,
            (health / 10) as u16 * 12 + food.min(11) as u16,
        ]
    }

    /// The eight numbers that compare me with the opponent nearest to me.
    fn pair(&self, him: usize, distance: u32) -> [u16; 8] {
        let (mine, his) = (self.snake(self.me), self.snake(him));
        let (my_reach, his_reach) = (self.territory.of(self.me), self.territory.of(him));
        let lead = mine.length - his.length;
        let ((x, y), (to_x, to_y)) = (self.column_and_row(mine.head), self.column_and_row(his.head));
        let (dx, dy) = (to_x - x, to_y - y);
        [
            clipped(lead, 12),
            clipped(my_reach.room() as i32 - his_reach.room() as i32, 60) / 2,
            clipped(my_reach.near as i32 - his_reach.near as i32, 24),
            (self.territory.disputed() / 2).min(20) as u16,
            clipped(lead, 1) * 64 + folded(dx.abs(), dy.abs()),
            (my_reach.food_steps.min(7) * 8 + his_reach.food_steps.min(7)) as u16,
            clipped(lead, 3) * 15 + distance.min(14) as u16,
            (self.facing(self.me, dx, dy) * 3 + self.facing(him, -dx, -dy)) * 8 + distance.min(7) as u16,
        ]
    }

    /// Whether what lies at `(dx, dy)` from the head is behind it (0), beside it (1) or ahead of it (2), by its last step.
    fn facing(&self, index: usize, dx: i32, dy: i32) -> u16 {
        let [.., neck, head] = *self.state.path(index) else { return 1 };
        let ((from_x, from_y), (x, y)) = (self.column_and_row(neck), self.column_and_row(head));
        clipped((x - from_x) * dx + (y - from_y) * dy, 1)
    }
}

/// `value` within `-limit..=limit`, counted from 0.
fn clipped(value: i32, limit: i32) -> u16 {
    (value.clamp(-limit, limit) + limit) as u16
}

/// Names two distances below 8 whatever their order.
fn folded(a: i32, b: i32) -> u16 {
    let (a, b) = (a.min(7), b.min(7));
    (a.min(b) * 8 + a.max(b)) as u16
}
