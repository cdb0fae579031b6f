// Package arena plays games of a Battlesnake in its own process: many at once, several weight sets in one binary, by
// the official rules, asked for by JSON lines. See README.md for the protocol.
package arena

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
)

// Environment is the variable that asks a program to be an arena: then Main serves instead of returning.
const Environment = "OUROBOROS_ARENA"

// mostLine bounds a line that comes in.
const mostLine = 64 << 20

// Main returns at once, unless the program was started to be an arena: then it plays the games that standard input asks
// for with the snakes that load makes of the weights' text, and ends the program at the end of standard input. Call it
// first in main. What the program prints from then on goes to standard error.
func Main(load func(weights []byte) (Snake, error)) {
	serveIfAsked(func(text []byte) (*player, error) {
		snake, err := load(text)
		if err == nil && snake == nil {
			err = fmt.Errorf("the snake's load function returned no Snake")
		}
		return &player{api: snake}, err
	})
}

// MainOnBoards is Main for a snake that thinks on the arena's own board.
func MainOnBoards(load func(weights []byte) (BoardSnake, error)) {
	serveIfAsked(func(text []byte) (*player, error) {
		snake, err := load(text)
		return &player{onBoard: snake}, err
	})
}

type loader func(text []byte) (*player, error)

func serveIfAsked(load loader) {
	if os.Getenv(Environment) != "1" {
		return
	}
	out := os.Stdout
	os.Stdout = os.Stderr // a snake's own prints must not stand between the lines
	serve(os.Stdin, out, load, runtime.GOMAXPROCS(0), os.Exit)
	os.Exit(0)
}

// serve answers until in ends. exit ends the program: nobody reads out any more, or the snakes are stuck.
func serve(in io.Reader, out io.Writer, load loader, workers int, exit func(code int)) {
	s := &server{load: load, out: newLines(out, func() { exit(0) }), players: map[string]*player{}, jobs: map[string]*job{}}
	s.out.say(hello{Type: "hello", Protocol: Protocol, Rulesets: rulesets, Maps: maps, MostSeats: mostSeats,
		Workers: workers, Watch: true})
	s.hall = newHall(s.out, workers, exit)
	scan := bufio.NewScanner(in)
	scan.Buffer(make([]byte, 64<<10), mostLine)
	for scan.Scan() {
		if len(scan.Bytes()) > 0 {
			s.take(scan.Bytes())
		}
	}
	if err := scan.Err(); err != nil {
		s.out.say(note{Type: "error", Kind: badRequest, Error: "standard input cannot be read on: " + err.Error()})
	}
}

// server holds what requests refer to.
type server struct {
	load    loader
	out     *lines
	hall    *hall
	players map[string]*player
	jobs    map[string]*job
}

func (s *server) take(line []byte) {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		s.out.say(note{Type: "error", Kind: badRequest, Error: "a line is no request: " + err.Error()})
		return
	}
	switch r.Type {
	case "weights":
		s.out.say(s.weigh(&r))
	case "forget":
		delete(s.players, r.ID)
	case "job":
		s.enter(&r)
	case "cancel":
		s.cancel(r.Job)
	case "watch":
		s.hall.watch.Store(true)
	default:
		s.out.say(note{Type: "error", Kind: badRequest, Error: fmt.Sprintf("there is no request of type %q", r.Type)})
	}
}

// weigh makes a snake of a weights' text.
func (s *server) weigh(r *request) (answer note) {
	answer = note{Type: "weights", ID: r.ID}
	if _, known := s.players[r.ID]; !known && len(s.players) >= mostWeights {
		answer.Error = fmt.Sprintf("%d weights are held already; forget some", mostWeights)
		return answer
	}
	defer func() {
		if reason := recover(); reason != nil {
			answer.Error = fmt.Sprintf("the snake's load function panicked: %.300s", fmt.Sprint(reason))
		}
	}()
	loaded, err := s.load([]byte(r.Text))
	if err != nil {
		answer.Error = err.Error()
		return answer
	}
	s.players[r.ID] = loaded
	return answer
}

// enter takes a job in, or says why not.
func (s *server) enter(r *request) {
	j := &job{id: r.ID, rotations: r.Rotations, seeds: r.Seeds, conditions: r.Conditions}
	kind, err := s.fill(j, r.Participants)
	if err == nil {
		j.unfinished = j.games()
		s.forgetFinished()
		s.jobs[j.id] = j
		if !s.hall.queue.add(j) {
			delete(s.jobs, j.id)
			kind, err = badRequest, fmt.Errorf("%d jobs are waiting already", mostJobs)
		}
	}
	if err != nil {
		s.out.say(note{Type: "error", Job: r.ID, Kind: kind, Error: err.Error()})
	}
}

func (s *server) fill(j *job, participants []string) (kind string, err error) {
	if s.underWay(j.id) {
		return badRequest, fmt.Errorf("a job of this id is under way")
	}
	for _, id := range participants {
		p := s.players[id]
		if p == nil {
			return badRequest, fmt.Errorf("there are no weights %q", id)
		}
		j.players = append(j.players, p)
	}
	return j.check()
}

func (s *server) underWay(id string) bool {
	s.out.lock.Lock()
	defer s.out.lock.Unlock()
	j := s.jobs[id]
	return j != nil && !j.dropped && j.unfinished > 0
}

// forgetFinished keeps the list of jobs as short as the queue.
func (s *server) forgetFinished() {
	if len(s.jobs) < mostJobs {
		return
	}
	s.out.lock.Lock()
	defer s.out.lock.Unlock()
	for id, j := range s.jobs {
		if j.dropped || j.unfinished == 0 {
			delete(s.jobs, id)
		}
	}
}

func (s *server) cancel(id string) {
	if j := s.jobs[id]; j != nil {
		s.hall.drop(j)
		delete(s.jobs, id)
	}
	s.out.say(note{Type: "cancelled", Job: id})
}
