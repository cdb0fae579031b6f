//! What the search finds in positions that are easy to judge.

use std::sync::Arc;
use std::time::{Duration, Instant};

use snake_engine::board::{Board, MOVES};
use snake_engine::search::{Decision, Limits, choose};
use snake_engine::state::State;
use snake_engine::weights::Weights;

type Body<'a> = &'a [(i32, i32)];

fn state(width: u32, snakes: &[(i32, Body)], food: &[(i32, i32)]) -> State<2> {
    let board = Board::new(width, width, false).unwrap();
    let cell = |&(x, y): &(i32, i32)| board.cell(x, y).unwrap();
    let bodies: Vec<Vec<u16>> = snakes.iter().map(|(_, body)| body.iter().map(cell).collect()).collect();
    let food = food.iter().map(cell).collect();
    let mut state = State::new(Arc::new(board));
    for ((health, _), body) in snakes.iter().zip(bodies) {
        state.add_snake(*health, &body).unwrap();
    }
    state.food = food;
    state
}

fn decide(state: &State<2>, positions: u64) -> Decision {
    let weights = Weights::shipped();
    let limits = Limits { positions, ..Limits::budget(state, &weights) };
    choose(state, 0, &weights, None, limits, None)
}

fn word(decision: &Decision) -> &'static str {
    MOVES[usize::from(decision.direction)]
}

#[test]
fn a_pocket_without_a_way_out_is_left_alone() {
    // Left is a pocket of one cell with food in it, right the open board.
    let body = [(1, 0), (1, 1), (0, 1), (0, 2), (1, 2), (2, 2), (3, 2)];
    let other = [(6, 6), (6, 5), (6, 4)];
    let found = decide(&state(7, &[(90, &body), (90, &other)], &[(0, 0)]), 500);
    assert_eq!(word(&found), "right");
}

#[test]
fn the_only_food_is_reached_before_starving() {
    let (body, other) = ([(3, 3), (3, 2), (3, 1)], [(6, 0), (5, 0), (4, 0)]);
    let found = decide(&state(7, &[(3, &body), (90, &other)], &[(3, 6)]), 500);
    assert_eq!(word(&found), "up");
}

#[test]
fn a_shorter_head_that_has_one_way_to_go_is_met_there() {
    // The opponent at the edge can only go up; so can we, to the same cell, and we are longer.
    let (longer, shorter) = ([(1, 4), (1, 3), (1, 2), (1, 1), (1, 0)], [(0, 3), (0, 2), (0, 1), (0, 0)]);
    let found = decide(&state(7, &[(90, &longer), (90, &shorter)], &[]), 500);
    assert_eq!(word(&found), "left");
    assert!(found.value > 1000.0, "{found:?}");
}

#[test]
fn by_its_budget_the_same_position_gets_the_same_move_and_by_the_clock_an_answer_in_time() {
    let snakes: [(i32, Body); 3] =
        [(90, &[(2, 2), (2, 1), (1, 1)]), (80, &[(8, 8), (8, 7), (8, 6), (7, 6)]), (99, &[(2, 8), (2, 9), (3, 9)])];
    let state = state(11, &snakes, &[(5, 5), (0, 10)]);
    let [one, two] = [decide(&state, 3000), decide(&state, 3000)].map(|found| format!("{found:?}"));
    assert_eq!(one, two);
    let weights = Weights::shipped();
    let until = Instant::now() + Duration::from_millis(30);
    let found = choose(&state, 0, &weights, None, Limits::clock(until), None);
    assert!(found.scored > 0 && found.depth >= 1 && Instant::now() >= until, "{found:?}");
}

#[test]
fn several_threads_see_what_one_sees() {
    let (longer, shorter) = ([(1, 4), (1, 3), (1, 2), (1, 1), (1, 0)], [(0, 3), (0, 2), (0, 1), (0, 0)]);
    let state = state(7, &[(90, &longer), (90, &shorter)], &[]);
    let weights = Weights::shipped();
    let limits = Limits { threads: 4, depth: 6, ..Limits::clock(Instant::now() + Duration::from_mins(1)) };
    let found = choose(&state, 0, &weights, None, limits, None);
    assert_eq!(word(&found), "left");
    assert!(found.value > 1000.0, "{found:?}");
}

#[test]
fn without_any_way_out_there_is_a_move_all_the_same() {
    let body = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)];
    assert!(decide(&state(3, &[(90, &body)], &[]), 100).direction < 4);
}

#[test]
fn the_prior_says_what_is_looked_at_first_and_nothing_else() {
    let state = state(11, &[(90, &[(5, 5), (5, 4), (5, 3)]), (90, &[(8, 8), (8, 7), (8, 6)])], &[(5, 8), (1, 1)]);
    let weights = Weights::shipped();
    let limits = Limits { depth: 3, ..Limits::clock(Instant::now() + Duration::from_mins(1)) };
    let found = [None, Some([9.0, 1.0, 5.0, 3.0]), Some([1.0, 2.0, 3.0, 9.0])]
        .map(|prior| choose(&state, 0, &weights, None, limits, prior));
    assert!(found.iter().all(|one| (one.direction, one.value) == (found[0].direction, found[0].value)), "{found:?}");
}
