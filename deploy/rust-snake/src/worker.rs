//! The network on a thread of its own, so that a slow answer never keeps the server from answering in time.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::contract::Card;
use crate::encoder::Observation;
use crate::model::{Model, Verdict};

struct Job {
    seen: Box<Observation>,
    deadline: Instant,
    answer: oneshot::Sender<Result<Verdict, String>>,
}

/// A running network; questions are answered in the order in which they come.
pub struct Worker {
    pub card: Card,
    jobs: mpsc::Sender<Job>,
    /// None in tests only.
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Loads the model on a new thread and waits until it stands.
    ///
    /// # Errors
    /// As `Model::load`.
    pub fn start(path: PathBuf) -> Result<Self, String> {
        let (jobs, asked) = mpsc::channel();
        let (tell, loaded) = mpsc::channel();
        // tract's state cannot move between threads: it is made where it is used.
        let work = move || match Model::load(&path) {
            Ok(mut model) => {
                if tell.send(Ok(model.card.clone())).is_ok() {
                    answer_all(&mut model, &asked);
                }
            }
            Err(why) => drop(tell.send(Err(why))),
        };
        let thread = thread::Builder::new().name("network".into()).spawn(work).map_err(|error| error.to_string())?;
        let card = loaded.recv().map_err(|_| "the network's thread ended while it loaded the model".to_owned())??;
        Ok(Self { card, jobs, thread: Some(thread) })
    }

    /// Whether it will never answer again: it broke down.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Asks what the network says; waits until `deadline` at most.
    ///
    /// # Errors
    /// No answer in time, or none at all; the words say which.
    pub async fn ask(&self, seen: Observation, deadline: Instant) -> Result<Verdict, String> {
        let (answer, answered) = oneshot::channel();
        let gone = || "the network's thread has ended".to_owned();
        self.jobs.send(Job { seen: Box::new(seen), deadline, answer }).map_err(|_| gone())?;
        match tokio::time::timeout_at(deadline.into(), answered).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err("the network did not answer in time".into()),
        }
    }
}

fn answer_all(model: &mut Model, asked: &mpsc::Receiver<Job>) {
    for job in asked {
        // Questions that waited too long are passed over, lest those behind them come too late as well.
        if Instant::now() < job.deadline {
            drop(job.answer.send(model.evaluate(&job.seen)));
        }
    }
}

#[cfg(test)]
pub mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{Job, Worker};
    use crate::contract::Card;
    use crate::encoder::Observation;

    fn worker(jobs: mpsc::Sender<Job>, thread: Option<thread::JoinHandle<()>>) -> Worker {
        let card = Card { model_id: "m".into(), rulesets: Vec::new(), most_snakes: 4, ground_steps: None };
        Worker { card, jobs, thread }
    }

    /// One that never answers and never ends.
    pub fn idle() -> Worker {
        worker(mpsc::channel().0, None)
    }

    /// One whose thread has ended.
    pub fn broken() -> Worker {
        let broken = worker(mpsc::channel().0, Some(thread::spawn(|| ())));
        while !broken.has_ended() {
            thread::yield_now();
        }
        broken
    }

    fn ask(jobs: mpsc::Sender<Job>, deadline: Instant) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(worker(jobs, None).ask(Observation::empty(), deadline)).unwrap_err()
    }

    #[test]
    fn a_network_that_is_too_slow_is_not_waited_for() {
        let (jobs, unheard) = mpsc::channel();
        assert!(ask(jobs, Instant::now()).contains("in time"));
        assert!(unheard.recv().is_ok());
    }

    #[test]
    fn a_network_that_has_ended_is_told() {
        let (jobs, ended) = mpsc::channel();
        drop(ended);
        assert!(ask(jobs, Instant::now() + Duration::from_mins(1)).contains("has ended"));
    }
}
