//! Which network plays: one that breaks down is loaded again, and a new file takes over between games.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::worker::Worker;

/// How a file is told from the one that took its place.
type Mark = (Option<SystemTime>, u64);

struct Service {
    worker: Option<Arc<Worker>>,
    /// Of the file that was last tried, whether or not it could be loaded: a bad one is not tried over and over.
    tried: Option<Mark>,
    /// Why that file does not play, where it does not.
    refused: Option<String>,
}

/// The network of a file, in service.
pub struct Network {
    path: PathBuf,
    service: Mutex<Service>,
    /// Held while a file is loaded: who comes meanwhile has nothing to do.
    loading: Mutex<()>,
}

impl Network {
    /// Loads the file.
    ///
    /// # Errors
    /// As `Model::load`.
    pub fn start(path: PathBuf) -> Result<Self, String> {
        let tried = mark(&path);
        let worker = Some(Arc::new(Worker::start(path.clone())?));
        Ok(Self { path, service: Mutex::new(Service { worker, tried, refused: None }), loading: Mutex::new(()) })
    }

    /// The network for a game that begins now; None where none could be loaded again.
    pub fn current(&self) -> Option<Arc<Worker>> {
        self.service().worker.clone()
    }

    /// Loads the file if it was replaced or the network has broken down; takes as long as that does. Returns what
    /// happened in words, None where there was nothing to do, or somebody else is at it.
    pub fn refresh(&self) -> Option<Result<String, String>> {
        let _loading = self.loading.try_lock().ok()?;
        self.load_if_new()
    }

    /// As `refresh`, and waits for who is at it: the file of now plays when this returns.
    ///
    /// # Errors
    /// Why the file does not play, whoever tried it, and what does.
    pub fn refresh_now(&self) -> Result<(), String> {
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        self.load_if_new();
        self.service().refused.clone().map_or(Ok(()), Err)
    }

    fn load_if_new(&self) -> Option<Result<String, String>> {
        let found = mark(&self.path);
        let broken = self.current().is_none_or(|worker| worker.has_ended());
        // A file that is gone is about to come again: what plays goes on.
        if !broken && (found.is_none() || found == self.service().tried) {
            return None;
        }
        if broken && found == self.service().tried && self.current().is_none() {
            return None; // it could not be loaded, and has not changed since
        }
        let loaded = Worker::start(self.path.clone());
        let mut service = self.service();
        service.tried = found;
        Some(match loaded {
            Ok(worker) => {
                let told = format!("model {}{}", worker.card.model_id, if broken { ", loaded again" } else { "" });
                service.worker = Some(Arc::new(worker));
                service.refused = None;
                Ok(told)
            }
            Err(why) => {
                service.worker = service.worker.take().filter(|worker| !worker.has_ended());
                let goes_on = service.worker.as_ref().map_or("there is no network".to_owned(), |worker| {
                    format!("model {} goes on", worker.card.model_id)
                });
                let words = format!("{why}; {goes_on}");
                service.refused = Some(words.clone());
                Err(words)
            }
        })
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mark(path: &Path) -> Option<Mark> {
    let about = fs::metadata(path).ok()?;
    Some((about.modified().ok(), about.len()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Arc, Mutex};

    use super::{Network, Service, mark};
    use crate::worker::tests::{broken, idle};

    #[test]
    fn one_that_broke_down_is_loaded_again_and_a_bad_file_is_tried_once() {
        let path = std::env::temp_dir().join(format!("rust-snake-network-{}.onnx", std::process::id()));
        fs::write(&path, "no model").unwrap();
        let service = Service { worker: Some(Arc::new(broken())), tried: mark(&path), refused: None };
        let network = Network { path: path.clone(), service: Mutex::new(service), loading: Mutex::new(()) };
        let why = network.refresh().unwrap().unwrap_err();
        assert!(why.contains("ONNX") && why.contains("there is no network"), "{why}");
        assert!(network.refresh().is_none() && network.current().is_none());
        fs::write(&path, "no model either").unwrap();
        assert!(network.refresh().unwrap().is_err());
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn who_asks_while_a_file_is_loaded_waits_for_it() {
        let path = std::env::temp_dir().join(format!("rust-snake-waits-{}.onnx", std::process::id()));
        let service = Service { worker: Some(Arc::new(idle())), tried: None, refused: None };
        let network = Network { path, service: Mutex::new(service), loading: Mutex::new(()) };
        std::thread::scope(|scope| {
            let loading = network.loading.lock().unwrap();
            assert!(network.refresh().is_none());
            let asked = scope.spawn(|| network.refresh_now());
            network.service().refused = Some("it is no model".into()); // what the other one finds
            drop(loading);
            assert_eq!(asked.join().unwrap().unwrap_err(), "it is no model");
        });
    }

    #[test]
    fn a_bad_file_in_a_good_ones_place_leaves_the_old_network_playing() {
        let path = std::env::temp_dir().join(format!("rust-snake-other-{}.onnx", std::process::id()));
        let service = Service { worker: Some(Arc::new(idle())), tried: None, refused: None };
        let network = Network { path: path.clone(), service: Mutex::new(service), loading: Mutex::new(()) };
        assert!(network.refresh().is_none(), "a file that is gone is about to come again");
        fs::write(&path, "half of a mod").unwrap();
        assert!(network.refresh().unwrap().unwrap_err().contains("model m goes on"));
        assert!(network.current().is_some() && network.refresh().is_none());
        assert!(network.refresh_now().unwrap_err().contains("model m goes on"), "whoever has tried it");
        fs::remove_file(&path).unwrap();
    }
}
