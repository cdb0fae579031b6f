//! What is remembered of each game: how many snakes began it, which a request does not tell, and which network plays it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::Request;
use crate::worker::Worker;

/// How long a game may be silent before it is taken for abandoned.
pub const PATIENCE: Duration = Duration::from_mins(10);
/// Games that are remembered at once; one more makes the one forgotten that has been silent longest.
pub const MOST_GAMES: usize = 1000;

struct Seen {
    seats: usize,
    worker: Option<Arc<Worker>>,
    at: Instant,
}

/// Remembers the seats of the games in hand, one entry per game and snake of ours.
#[derive(Default)]
pub struct Roster {
    games: HashMap<(String, String), Seen>,
}

impl Roster {
    /// Returns the snakes that began the request's game.
    ///
    /// They are those of its first request: `/start`, or the first `/move` where `/start` did not come. A server that
    /// was restarted in mid-game counts those that still lived then.
    pub fn seats(&mut self, request: &Request, now: Instant) -> usize {
        let key = (request.game.id.clone(), request.you.id.clone());
        if !self.games.contains_key(&key) {
            self.make_room(now);
        }
        let seen = self.games.entry(key).or_insert(Seen { seats: 0, worker: None, at: now });
        seen.seats = seen.seats.max(request.board.snakes.len());
        seen.at = now;
        seen.seats
    }

    /// Returns the network that plays the request's game, the one that was in service when it began: `current`, if it is not
    /// known yet or has broken down.
    pub fn worker(&mut self, request: &Request, current: Option<Arc<Worker>>) -> Option<Arc<Worker>> {
        let Some(seen) = self.games.get_mut(&(request.game.id.clone(), request.you.id.clone())) else { return current };
        if seen.worker.as_ref().is_none_or(|worker| worker.has_ended()) {
            seen.worker = current;
        }
        seen.worker.clone()
    }

    /// Forgets a game that has ended.
    pub fn forget(&mut self, request: &Request) {
        self.games.remove(&(request.game.id.clone(), request.you.id.clone()));
    }

    fn make_room(&mut self, now: Instant) {
        if self.games.len() < MOST_GAMES {
            return;
        }
        self.games.retain(|_, seen| now.duration_since(seen.at) <= PATIENCE);
        if self.games.len() >= MOST_GAMES {
            let oldest = self.games.iter().min_by_key(|(_, seen)| seen.at).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.games.remove(&key));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::{MOST_GAMES, Roster};
    use crate::api::Request;
    use crate::board::tests::request;
    use crate::worker::Worker;
    use crate::worker::tests::{broken, idle};

    fn with_snakes(count: usize) -> Request {
        request(11, 11, &vec![(90, &[(1, 1)][..]); count], &[])
    }

    #[test]
    fn the_dead_still_count_until_the_game_ends() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        assert_eq!(roster.seats(&with_snakes(4), now), 4);
        assert_eq!(roster.seats(&with_snakes(2), now), 4);
        roster.forget(&with_snakes(2));
        assert_eq!(roster.seats(&with_snakes(2), now), 2);
    }

    #[test]
    fn a_game_keeps_its_network_until_that_breaks_down() {
        let (mut roster, begun) = (Roster::default(), with_snakes(2));
        roster.seats(&begun, Instant::now());
        let [first, second, third] = [broken(), idle(), idle()].map(Arc::new);
        let mut plays = |current: &Arc<Worker>| roster.worker(&begun, Some(current.clone())).unwrap();
        assert!(Arc::ptr_eq(&plays(&first), &first));
        assert!(Arc::ptr_eq(&plays(&second), &second), "the first has broken down");
        assert!(Arc::ptr_eq(&plays(&third), &second));
    }

    #[test]
    fn only_so_many_games_are_remembered_and_the_silent_go_first() {
        let (mut roster, start) = (Roster::default(), Instant::now());
        for game in 0..=MOST_GAMES {
            let mut begun = with_snakes(3);
            begun.game.id = game.to_string();
            roster.seats(&begun, start + Duration::from_millis(game as u64));
        }
        assert_eq!(roster.games.len(), MOST_GAMES);
        let mut first = with_snakes(1);
        first.game.id = "0".into();
        assert_eq!(roster.seats(&first, start + Duration::from_secs(2)), 1);
    }
}
