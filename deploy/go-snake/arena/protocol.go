package arena

import (
	"bufio"
	"encoding/json"
	"io"
	"sync"
)

// Protocol is the name and version of the protocol; README.md describes it.
const Protocol = "ouroboros-arena/1"

// request is any line that comes in; which fields count depends on its type.
type request struct {
	Type string `json:"type"`
	// weights, forget
	ID   string `json:"id"`
	Text string `json:"text"`
	// job (with ID), cancel
	Job          string      `json:"job"`
	Participants []string    `json:"participants"`
	Rotations    [][]int     `json:"rotations"`
	Seeds        []int64     `json:"seeds"`
	Conditions   *Conditions `json:"conditions"`
}

// hello is the first line that goes out.
type hello struct {
	Type      string   `json:"type"`
	Protocol  string   `json:"protocol"`
	Rulesets  []string `json:"rulesets"`
	Maps      []string `json:"maps"`
	MostSeats int      `json:"most_seats"`
	// Workers is how many games are really played at once.
	Workers int `json:"workers"`
	// Watch says that the request watch is known.
	Watch bool `json:"watch"`
}

// note answers a request: weights, cancelled, done and error are its types.
type note struct {
	Type  string `json:"type"`
	ID    string `json:"id,omitempty"`
	Job   string `json:"job,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Error string `json:"error,omitempty"`
}

// Kinds of errors.
const (
	unplayable = "unplayable" // conditions that are not played here
	badRequest = "request"    // a fault of the caller
	stuck      = "stuck"      // too many move functions never came back
)

// result is a finished game; all lists are by seat.
type result struct {
	Type     string    `json:"type"`
	Job      string    `json:"job"`
	Game     int       `json:"game"`
	Seed     int64     `json:"seed"`
	Rotation []int     `json:"rotation"`
	Scores   []float64 `json:"scores"`
	Turns    int       `json:"turns"`
	Lengths  []int     `json:"lengths"`
	Causes   []string  `json:"causes"`
	// DiedOn is the turn of the death; 0: alive at the end.
	DiedOn []int `json:"died_on"`
	// Failures are the first of each seat, Details its words, FailedMoves how many moves failed.
	Failures    []failure `json:"failures"`
	Details     []string  `json:"details"`
	FailedMoves []int     `json:"failed_moves"`
	// MoveMs is the mean time of a move.
	MoveMs     []float64 `json:"move_ms"`
	Transcript string    `json:"transcript"`

	asked []int
}

// lines writes one JSON object a line, whole lines only, from any goroutine.
type lines struct {
	lock sync.Mutex
	to   *bufio.Writer
	// broken is called once nobody reads any more.
	broken func()
}

func newLines(to io.Writer, broken func()) *lines {
	return &lines{to: bufio.NewWriter(to), broken: broken}
}

// say writes a message at once.
func (l *lines) say(message any) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.write(message)
}

// write needs the lock.
func (l *lines) write(message any) {
	text, err := json.Marshal(message)
	if err != nil {
		panic(err) // plain data: cannot happen
	}
	if _, err := l.to.Write(append(text, '\n')); err == nil {
		err = l.to.Flush()
		if err == nil {
			return
		}
	}
	l.broken()
}
