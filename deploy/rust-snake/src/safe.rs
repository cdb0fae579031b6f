//! The move played when no network answers: legal, with room, away from stronger heads, towards food when hungry.

use crate::board::{Board, Cell, Snake};
use crate::rules::Rules;

const DEADLY: i32 = -1_000_000;
/// What enough room for the whole body is worth; less room is worth its share.
const ROOM: i32 = 100_000;
/// A cell that a head which wins or ties may enter too: worse than half the room lacking.
const THREAT: i32 = -60_000;
const PREY: i32 = 400;
/// Below this health food comes before everything but safety.
const HUNGRY: i32 = 40;

/// Returns the number of the best move; always one, even where all are deadly.
pub fn safe_move(board: &Board, rules: &Rules) -> usize {
    let mut best = (i32::MIN, 0);
    for (direction, legal) in board.legal_moves().into_iter().enumerate() {
        if legal {
            let score = score(board, rules, direction);
            if score > best.0 {
                best = (score, direction);
            }
        }
    }
    best.1
}

fn score(board: &Board, rules: &Rules, direction: usize) -> i32 {
    let me = &board.snakes[board.me];
    let Some(target) = board.open_neighbour(me.head(), direction) else { return DEADLY };
    let eats = board.food.contains(&target);
    let harm = rules.damage * i32::from(board.hazards[target]);
    if !eats && me.health - 1 - harm <= 0 {
        return DEADLY / 2;
    }
    let (room, food) = flood(board, rules, target);
    let enough = room.min(me.length as i32 + 1) * ROOM / (me.length as i32 + 1);
    enough + room + meeting(board, target) + appetite(board, me.health, food) - 100 * harm
}

/// The cells that can be reached from `start`, each entered no sooner than its body has left, and the steps to food.
fn flood(board: &Board, rules: &Rules, start: Cell) -> (i32, Option<i32>) {
    let mut blocked_until = vec![0; board.width * board.height];
    for (cell, turns) in board.snakes.iter().flat_map(Snake::leaving) {
        blocked_until[cell] = if rules.constrictor { usize::MAX } else { turns };
    }
    let mut seen = vec![false; blocked_until.len()];
    let (mut edge, mut turn, mut room, mut food) = (vec![start], 1, 0, None);
    seen[start] = true;
    while !edge.is_empty() {
        room += edge.len() as i32;
        if food.is_none() && edge.iter().any(|cell| board.food.contains(cell)) {
            food = Some(turn as i32);
        }
        turn += 1;
        let mut next = Vec::new();
        for there in edge.iter().flat_map(|&cell| (0..4).filter_map(move |way| board.neighbour(cell, way))) {
            if !seen[there] && blocked_until[there] <= turn {
                seen[there] = true;
                next.push(there);
            }
        }
        edge = next;
    }
    (room, food)
}

/// What other heads that may enter the cell too are worth.
fn meeting(board: &Board, target: Cell) -> i32 {
    let mine = board.snakes[board.me].length;
    let mut worth = 0;
    for (index, other) in board.snakes.iter().enumerate() {
        if index != board.me && (0..4).any(|way| board.neighbour(other.head(), way) == Some(target)) {
            if other.length >= mine {
                return THREAT;
            }
            worth = PREY;
        }
    }
    worth
}

/// What the way to food is worth: much when hungry, or when another snake is as long.
fn appetite(board: &Board, health: i32, food: Option<i32>) -> i32 {
    let Some(steps) = food else { return 0 };
    let mine = board.snakes[board.me].length;
    let longest = board.snakes.iter().enumerate().all(|(i, other)| i == board.me || other.length < mine);
    let weight = if health < HUNGRY {
        500
    } else if longest {
        1
    } else {
        50
    };
    weight * (40 - steps).max(0)
}

#[cfg(test)]
mod tests {
    use super::safe_move;
    use crate::api::{Point, Request};
    use crate::board::Board;
    use crate::board::tests::request;
    use crate::rules::Rules;

    fn choose(request: &Request) -> usize {
        let rules = Rules::of(&request.game);
        safe_move(&Board::of(request, &rules).unwrap(), &rules)
    }

    #[test]
    fn a_dead_end_is_avoided() {
        // Left is a pocket of one cell, right the open board; food in the pocket does not lure.
        let body = [(1, 0), (1, 1), (0, 1), (0, 2), (1, 2), (2, 2), (3, 2)];
        assert_eq!(choose(&request(7, 7, &[(90, &body)], &[(0, 0)])), 3);
    }

    #[test]
    fn a_meeting_with_an_equal_head_is_avoided_and_with_a_weaker_one_sought() {
        let me = (90, &[(3, 3), (2, 3), (1, 3), (0, 3)][..]);
        let equal = (90, &[(5, 3), (6, 3), (6, 4), (6, 5)][..]);
        let weak = (90, &[(4, 4), (4, 5), (4, 6)][..]);
        assert_ne!(choose(&request(7, 7, &[me, equal], &[])), 3);
        assert!([0, 3].contains(&choose(&request(7, 7, &[me, weak], &[]))));
    }

    #[test]
    fn the_hungry_go_for_food() {
        let body = [(3, 3), (3, 2), (3, 1)];
        for (food, way) in [((3, 6), 0), ((0, 3), 2), ((6, 3), 3)] {
            assert_eq!(choose(&request(7, 7, &[(9, &body)], &[food])), way);
        }
    }

    #[test]
    fn a_deadly_hazard_is_the_last_choice() {
        let mut burning = request(7, 7, &[(10, &[(3, 3), (3, 2), (3, 1)])], &[]);
        burning.game.ruleset.settings.hazard_damage_per_turn = 14;
        burning.board.hazards = vec![Point { x: 3, y: 4 }, Point { x: 2, y: 3 }];
        assert_eq!(choose(&burning), 3);
    }

    #[test]
    fn without_any_way_out_there_is_a_move_all_the_same() {
        let body = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)];
        assert!(choose(&request(3, 3, &[(90, &body)], &[])) < 4);
    }
}
