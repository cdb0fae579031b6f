//! Appends each finished game as one line to `DIR/<snake name>-YYYYMMDD.jsonl`, format `ouroboros-game-log/1`.
//!
//! The format, its meaning and its safety are those of the Go snake (`deploy/go-snake/gamelog`, which documents them) and
//! of `schemas/game.py`: a line is appended by one write to a file opened for appending and is then synced, so several
//! snakes may share a folder, and a kill loses at most the games in hand. If a file ends in part of a line, the next line
//! begins with a line break. Readers skip empty lines and lines that are no JSON.

mod record;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use snake_engine::search::Decision;

use crate::api::Request;
use crate::gamelog::record::Record;
use crate::roster::{MOST_GAMES, PATIENCE};

const LONGEST_NAME: usize = 64;

type Clock = Box<dyn Fn() -> SystemTime + Send + Sync>;

/// Records the games of every snake of this server.
pub struct GameLog {
    folder: PathBuf,
    clock: Clock,
    games: Mutex<HashMap<(String, String), Record>>,
    writing: Mutex<()>,
}

impl GameLog {
    /// Makes a log that writes into `folder`, which is made if it does not exist.
    pub fn open(folder: &Path, clock: Clock) -> Result<Self, String> {
        std::fs::create_dir_all(folder)
            .map_err(|error| format!("game log: cannot make the folder {}: {error}", folder.display()))?;
        Ok(Self { folder: folder.into(), clock, games: Mutex::default(), writing: Mutex::default() })
    }

    /// Begins the record of a game that the network `model` plays, empty: none; a second start of the same game is ignored.
    pub fn start(&self, request: &Request, model: &str) {
        self.with(request, model, |_| ());
    }

    /// Adds the board of one turn with what was decided on it, and how long that took; None: nobody thought. A game that
    /// is not known, because the server was restarted, begins here.
    pub fn add(&self, request: &Request, model: &str, thought: Option<(&Decision, Duration)>) {
        self.with(request, model, |record| record.add(request, thought));
    }

    fn with(&self, request: &Request, model: &str, act: impl FnOnce(&mut Record)) {
        let now = (self.clock)();
        let mut games = self.games.lock().unwrap_or_else(PoisonError::into_inner);
        let id = key(request);
        if !games.contains_key(&id) {
            make_room(&mut games, now);
        }
        let record = games.entry(id).or_insert_with(|| Record::of(request, model, now));
        record.seen = now;
        act(record);
    }

    /// Adds the last board and appends the game to its file. The game is then forgotten, whether or not writing
    /// succeeded. A game of which no move was ever seen is not written.
    pub fn end(&self, request: &Request) -> Result<(), String> {
        let record = self.games.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(request));
        let Some(mut record) = record.filter(Record::has_frames) else { return Ok(()) };
        record.add(request, None);
        let ended = (self.clock)();
        let line = record.line(request, ended)?;
        let day: String = humantime::format_rfc3339_seconds(ended).to_string()[..10].replace('-', "");
        let path = self.folder.join(format!("{}-{day}.jsonl", file_name(&request.you.name)));
        self.append(&path, line).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Appends one line by one write and syncs it.
    fn append(&self, path: &Path, mut line: String) -> io::Result<()> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        if is_torn(&mut file)? {
            line.insert(0, '\n');
        }
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }
}

fn key(request: &Request) -> (String, String) {
    (request.game.id.clone(), request.you.id.clone())
}

/// Drops abandoned games when there is no room for one more, and if that is not enough the one silent longest.
fn make_room(games: &mut HashMap<(String, String), Record>, now: SystemTime) {
    if games.len() < MOST_GAMES {
        return;
    }
    games.retain(|_, record| now.duration_since(record.seen).is_ok_and(|silence| silence <= PATIENCE));
    if games.len() >= MOST_GAMES {
        let oldest = games.iter().min_by_key(|(_, record)| record.seen).map(|(id, _)| id.clone());
        oldest.and_then(|id| games.remove(&id));
    }
}

/// Whether the file ends in part of a line.
fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// A snake's name made fit for a file name.
fn file_name(name: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
    let safe: String = name.chars().map(fit).take(LONGEST_NAME).collect();
    match safe.trim_start_matches('.') {
        "" => "snake".into(),
        safe => safe.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use snake_engine::search::Decision;

    use super::{GameLog, file_name};
    use crate::api::Request;
    use crate::board::tests::request;

    fn boards() -> (Request, Request, Request) {
        let rival = (80, &[(5, 5), (5, 4), (5, 3)][..]);
        let mut first = request(11, 11, &[(90, &[(1, 1), (1, 2), (1, 3)]), rival], &[(1, 0)]);
        let mut second = request(11, 11, &[(100, &[(1, 0), (1, 1), (1, 2), (1, 2)]), rival], &[]);
        let mut last = request(11, 11, &[(99, &[(2, 0), (1, 0), (1, 1), (1, 2)])], &[]);
        for (turn, board) in [(3, &mut first), (4, &mut second), (5, &mut last)] {
            board.turn = turn;
            board.you.name = "a/b".into();
        }
        (first, second, last)
    }

    #[test]
    fn a_finished_game_is_one_line_and_a_torn_file_is_mended() {
        let folder = std::env::temp_dir().join(format!("rust-snake-log-{}", std::process::id()));
        let noon = || SystemTime::UNIX_EPOCH + Duration::from_hours(12);
        let log = GameLog::open(&folder, Box::new(noon)).unwrap();
        let path = folder.join("a_b-19700101.jsonl");
        std::fs::write(&path, "{\"torn").unwrap();
        let (first, mut second, last) = boards();
        log.start(&first, "champion-7");
        log.add(&first, "", None);
        log.add(&first, "", None);
        second.board.snakes[0].latency = 12;
        second.board.snakes[1].shout = "a \"b\" <c>".into();
        let moves = vec![(2, -3.04), (0, f64::NEG_INFINITY)];
        let decision = Decision { direction: 2, value: -3.04, depth: 9, scored: 4000, moves };
        log.add(&second, "", Some((&decision, Duration::from_micros(3456))));
        log.end(&last).unwrap();
        log.end(&last).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, "{\"torn"));
        let game: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
        assert_eq!((&game["outcome"], &game["turns"]), (&"win".into(), &5.into()));
        assert_eq!(game["started_at"], "1970-01-01T12:00:00.000Z");
        assert_eq!(game["model"], "champion-7");
        let frames = game["frames"].to_string();
        let wanted = concat!(
            r#"[{"b":[[0,[1,1,1,2,1,3]],[1,[5,5,5,4,5,3]]],"f":[1,0],"s":[[0,90,3,1,1],[1,80,3,5,5]],"t":3},"#,
            r#"{"f":[],"k":{"d":9,"m":"left","ms":3.5,"n":4000,"s":[["left",-3.04],["up",-1000000000000.0]],"v":-3.04},"#,
            r#""l":[[0,12]],"s":[[0,100,4,1,0],[1,80,3,5,5]],"t":4,"w":[[1,"a \"b\" <c>"]]},"#,
            r#"{"s":[[0,99,4,2,0]],"t":5}]"#
        );
        assert_eq!(frames, wanted);
    }

    #[test]
    fn any_name_makes_a_file_name() {
        for (name, file) in [("", "snake"), ("..", "snake"), ("../x y", "_x_y"), ("Ä1", "_1")] {
            assert_eq!(file_name(name), file);
        }
    }
}
