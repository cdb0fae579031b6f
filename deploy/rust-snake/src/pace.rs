//! How long a move may be thought about, so that the answer is in time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::api::Request;

/// The time-out of a game that names none; it is what official games use.
pub const USUAL_TIMEOUT: Duration = Duration::from_millis(500);
/// What is kept free of every time-out beyond what was measured, and so is this share of it.
const RESERVE: Duration = Duration::from_millis(15);
const RESERVE_SHARE: f64 = 0.1;
/// How much of a measured delay is still feared a move later.
const FADING: f64 = 0.95;
/// The games whose delays are remembered at once; when one more comes, all are forgotten and soon learnt again.
const MOST_GAMES: usize = 512;

/// What a game has taught about the ways to and from its server, and about this machine.
#[derive(Clone, Copy, Default)]
struct Course {
    /// From the last request's arrival to its answer.
    last: Duration,
    /// Lost outside this program: the latency that the caller measured, less `last`.
    way: Duration,
    /// By which answers came later than was planned.
    late: Duration,
}

/// Learns from each game's requests what is lost beyond the time that was meant to be thought.
#[derive(Default)]
pub struct Pace {
    courses: HashMap<(String, String), Course>,
}

/// The game's time-out.
pub fn timeout(request: &Request) -> Duration {
    match request.game.timeout {
        0 => USUAL_TIMEOUT,
        milliseconds => Duration::from_millis(milliseconds.into()),
    }
}

impl Pace {
    /// When thinking about the request that arrived at `arrived` has to end; `share` is of the game's time-out, `margin`
    /// what the user keeps free at least.
    pub fn until(&mut self, request: &Request, arrived: Instant, share: f64, margin: Duration) -> Instant {
        let timeout = timeout(request);
        let course = self.course(request);
        let waited = Duration::from_millis(request.you.latency.into());
        if !waited.is_zero() && !course.last.is_zero() {
            course.way = waited.saturating_sub(course.last).max(course.way.mul_f64(FADING));
        }
        let reserve = (RESERVE + timeout.mul_f64(RESERVE_SHARE)).max(margin.min(timeout / 2));
        let most = timeout.saturating_sub(course.way + 2 * course.late + reserve);
        arrived + timeout.mul_f64(share).min(most)
    }

    /// Notes how long a request took, of which so much was planned.
    pub fn answered(&mut self, request: &Request, took: Duration, planned: Duration) {
        let course = self.course(request);
        course.last = took;
        course.late = took.saturating_sub(planned).max(course.late.mul_f64(FADING));
    }

    /// Forgets a game.
    pub fn forget(&mut self, request: &Request) {
        self.courses.remove(&key(request));
    }

    fn course(&mut self, request: &Request) -> &mut Course {
        let key = key(request);
        if self.courses.len() >= MOST_GAMES && !self.courses.contains_key(&key) {
            self.courses.clear();
        }
        self.courses.entry(key).or_default()
    }
}

fn key(request: &Request) -> (String, String) {
    (request.game.id.clone(), request.you.id.clone())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Pace;
    use crate::api::Request;
    use crate::board::tests::request;

    const MARGIN: Duration = Duration::from_millis(30);

    fn asked(latency: u32) -> Request {
        let mut asked = request(11, 11, &[(90, &[(1, 1)])], &[]);
        asked.you.latency = latency;
        asked
    }

    fn thinks(pace: &mut Pace, request: &Request, share: f64) -> u128 {
        let now = Instant::now();
        (pace.until(request, now, share, MARGIN) - now).as_millis()
    }

    #[test]
    fn a_share_of_the_time_out_is_thought_and_never_all_of_it() {
        let mut pace = Pace::default();
        assert_eq!((thinks(&mut pace, &asked(0), 0.4), thinks(&mut pace, &asked(0), 1.0)), (200, 435));
    }

    #[test]
    fn a_long_way_and_a_late_answer_shorten_the_thought_and_are_forgotten_with_the_game() {
        let mut pace = Pace::default();
        pace.answered(&asked(0), Duration::from_millis(200), Duration::from_millis(200));
        assert_eq!(thinks(&mut pace, &asked(450), 1.0), 185); // 250 ms were lost on the way
        pace.answered(&asked(0), Duration::from_millis(260), Duration::from_millis(200));
        assert_eq!(thinks(&mut pace, &asked(0), 1.0), 65); // and then the machine was 60 ms late
        pace.forget(&asked(0));
        assert_eq!(thinks(&mut pace, &asked(0), 1.0), 435);
    }
}
