// Package gamelog keeps the games that the snake plays and appends each finished one, as one line of JSON, to
//
//	DIR/<snake name>-YYYYMMDD.jsonl
//
// where the date is the UTC date of the game's end and characters of the name other than letters, digits, dot, dash and
// underscore are replaced by an underscore.
//
// # Format "ouroboros-game-log/1"
//
// One object per line:
//
//	format      "ouroboros-game-log/1"
//	game_id     string
//	ruleset     string, for example "standard"
//	map         string
//	source      string, as the game server sent it
//	timeout_ms  whole number
//	settings    {"foodSpawnChance","minimumFood","hazardDamagePerTurn","shrinkEveryNTurns"}: whole numbers
//	width, height  cells
//	you         index into snakes
//	snakes      [{"id","name"}], in order of first appearance
//	outcome     "win", "loss" or "draw", see below
//	turns       the last turn number seen, that of /end included
//	started_at, ended_at  ISO 8601, UTC with "Z", milliseconds
//	frames      one per turn seen, turns rising: the board of each /move, and that of /end
//
// One frame:
//
//	t  turn
//	s  living snakes: [[index, health, length, head x, head y], ...]
//	b  their whole bodies, head first: [[index, [x, y, x, y, ...]], ...]; on the first frame and after a gap in turns
//	f  food [x, y, ...]; only when it differs from the frame before (absent at first: none)
//	z  hazards [x, y, ...], a cell once per layer; only when they differ from the frame before (absent at first: none)
//	l  [[index, milliseconds], ...]: how long the answer to the turn before took, of those whom the game server tells it of
//	w  [[index, words], ...] of those that shouted
//	k  what this snake thought: {"m": its move, "v": value, "d": turns looked ahead, "n": positions scored,
//	   "ms": milliseconds until the answer, "s": [[move, value], ...], the best first}; the value of another move than
//	   the best is at most what stands there. Not in the frame of /end
//
// Between gaps a body follows from the frame before: the new head in front, then the old body, of which the last entry is
// dropped; if the new length is greater, the last entry of the result is repeated until the length is right.
//
// # Outcome
//
// A game with two snakes or more is a win if you live at /end and nobody else does, a loss if you are dead and
// somebody lives, and otherwise a draw: nobody lives, or the game was stopped while you lived among others. A game in
// which only you ever appeared is a loss once you are dead, since it always ends so, and a draw if it was stopped.
//
// # Safety
//
// A line is appended by one write to a file opened for appending and is then synced, so several snakes may share a file,
// and a kill at any moment loses at most the games in hand. If the machine fails in the middle of a write, or the disk is
// full, the file may end in part of a line; the next line then begins with a line break. Readers skip empty lines and
// lines that are not JSON.
package gamelog

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"ouroboros-snake/api"
	"ouroboros-snake/brain"
)

// Bounds of what is kept in memory.
const (
	// Patience is how long a game may be silent before it is taken for abandoned.
	Patience = 10 * time.Minute
	// MaxGames is how many games are kept at once; one more drops the game that has been silent longest.
	MaxGames = 1000
	// MaxGameBytes is how large the frames of one game may grow before the game is given up.
	MaxGameBytes = 8 << 20
)

// Log records games. It is safe for concurrent use.
type Log struct {
	dir string
	now func() time.Time

	lock      sync.Mutex
	games     map[key]*game
	lastSweep time.Time

	writing sync.Mutex
}

// key tells apart several snakes of one server in one game.
type key struct{ game, you string }

// Open makes a log that writes into dir, which is made if it does not exist. now is the clock.
func Open(dir string, now func() time.Time) (*Log, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("game log: cannot make the folder: %w", err)
	}
	return &Log{dir: dir, now: now, games: map[key]*game{}, lastSweep: now()}, nil
}

// Start begins the record of a game. A second start of the same game is ignored.
func (l *Log) Start(req *api.Request) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.find(req)
}

// Move adds the board of one turn with what was decided on it, and how long that took. A game that is not known, because
// the server was restarted meanwhile, begins here.
func (l *Log) Move(req *api.Request, decided *brain.Decision, took time.Duration) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.find(req).add(req, decided, took)
}

// End adds the last board and appends the game to its file. After it the game is forgotten, whether or not writing
// succeeded. A game of which no move was ever seen is not written.
func (l *Log) End(req *api.Request) error {
	l.lock.Lock()
	id := key{req.Game.ID, req.You.ID}
	g := l.games[id]
	delete(l.games, id)
	l.lock.Unlock()
	if g == nil || len(g.frames) == 0 {
		return nil
	}
	g.add(req, nil, 0)
	if g.full {
		return fmt.Errorf("its frames take more than %d bytes", MaxGameBytes)
	}
	ended := l.now().UTC()
	line, err := g.line(req, ended)
	if err != nil {
		return err
	}
	return l.append(fileName(g.youName)+"-"+ended.Format("20060102")+".jsonl", line)
}

// find returns the game of the request, beginning it if it is new. The caller holds the lock.
func (l *Log) find(req *api.Request) *game {
	now := l.now()
	id := key{req.Game.ID, req.You.ID}
	g := l.games[id]
	if g == nil {
		l.sweep(now)
		g = newGame(req, now)
		l.games[key{g.header.GameID, g.youID}] = g // the game's own strings: the request's pin its whole text
	}
	g.seen = now
	return g
}

// sweep drops abandoned games and, when there is no room for one more, the one silent longest.
func (l *Log) sweep(now time.Time) {
	if full := len(l.games) >= MaxGames; !full && now.Sub(l.lastSweep) < Patience/10 {
		return
	}
	l.lastSweep = now
	var oldest key
	var since time.Time
	for id, g := range l.games {
		if now.Sub(g.seen) > Patience {
			delete(l.games, id)
		} else if since.IsZero() || g.seen.Before(since) {
			oldest, since = id, g.seen
		}
	}
	if len(l.games) >= MaxGames {
		delete(l.games, oldest)
	}
}

// append writes one line by one write and syncs it.
func (l *Log) append(name string, line []byte) (err error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	path := l.dir + string(os.PathSeparator) + name
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if torn(file) {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := file.Write(line); err != nil {
		return err
	}
	return file.Sync()
}

// torn reports whether the file ends in part of a line.
func torn(file *os.File) bool {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = file.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

const maxFileName = 64

// fileName makes a snake's name fit for a file name.
func fileName(name string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		default:
			return '_'
		}
	}, name)
	safe = strings.TrimLeft(safe[:min(len(safe), maxFileName)], ".")
	if safe == "" {
		return "snake"
	}
	return safe
}
