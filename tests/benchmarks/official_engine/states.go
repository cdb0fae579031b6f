package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/BattlesnakeOfficial/rules"
)

// snake is one snake of a state: cause is "" while it lives, by the killer's index or -1.
type snake struct {
	Health int    `json:"health"`
	Body   []int  `json:"body"`
	Cause  string `json:"cause"`
	By     int    `json:"by"`
	On     int    `json:"on"`
}

// state is a board, cells written flat, x before y; the answer to one is the board after the rules of one turn.
type state struct {
	Ruleset  string            `json:"ruleset,omitempty"`
	Solo     bool              `json:"solo,omitempty"`
	Settings map[string]string `json:"settings,omitempty"`
	Width    int               `json:"width"`
	Height   int               `json:"height"`
	Turn     int               `json:"turn"`
	Food     []int             `json:"food"`
	Hazards  []int             `json:"hazards"`
	Snakes   []snake           `json:"snakes"`
	Moves    []string          `json:"moves,omitempty"` // one a snake; a dead one's is not used
	Over     bool              `json:"over"`            // of an answer: the game was over, nothing was played
	Error    string            `json:"error"`           // of an answer: the engine refused the turn
}

func points(flat []int) []rules.Point {
	cells := make([]rules.Point, 0, len(flat)/2)
	for i := 0; i+1 < len(flat); i += 2 {
		cells = append(cells, rules.Point{X: flat[i], Y: flat[i+1]})
	}
	return cells
}

func flat(cells []rules.Point) []int {
	numbers := make([]int, 0, 2*len(cells))
	for _, cell := range cells {
		numbers = append(numbers, cell.X, cell.Y)
	}
	return numbers
}

func id(index int) string {
	if index < 0 {
		return ""
	}
	return "s" + strconv.Itoa(index)
}

func board(asked state) *rules.BoardState {
	b := rules.NewBoardState(asked.Width, asked.Height)
	b.Turn, b.Food, b.Hazards = asked.Turn, points(asked.Food), points(asked.Hazards)
	for i, s := range asked.Snakes {
		b.Snakes = append(b.Snakes, rules.Snake{ID: id(i), Body: points(s.Body), Health: s.Health,
			EliminatedCause: s.Cause, EliminatedBy: id(s.By), EliminatedOnTurn: s.On})
	}
	return b
}

// play lets the engine play one turn of the rules; a turn on which it crashes is an error like any other.
func play(asked state) (answer state) {
	defer func() {
		if crash := recover(); crash != nil {
			answer = state{Error: fmt.Sprint("panic: ", crash)}
		}
	}()
	ruleset := rules.NewRulesetBuilder().WithParams(asked.Settings).WithSeed(7).WithSolo(asked.Solo).NamedRuleset(asked.Ruleset)
	var moves []rules.SnakeMove
	for i, move := range asked.Moves {
		if asked.Snakes[i].Cause == "" {
			moves = append(moves, rules.SnakeMove{ID: id(i), Move: move})
		}
	}
	over, after, err := ruleset.Execute(board(asked), moves)
	if err != nil {
		return state{Error: err.Error()}
	}
	answer = state{Width: after.Width, Height: after.Height, Turn: after.Turn, Over: over,
		Food: flat(after.Food), Hazards: flat(after.Hazards)}
	for _, s := range after.Snakes {
		by := -1
		if s.EliminatedBy != "" {
			by, _ = strconv.Atoi(s.EliminatedBy[1:])
		}
		answer.Snakes = append(answer.Snakes, snake{s.Health, flat(s.Body), s.EliminatedCause, by, s.EliminatedOnTurn})
	}
	return answer
}

// playStates reads states, one a line of JSON, and writes the state after one turn of each.
func playStates() {
	in, out := bufio.NewScanner(os.Stdin), bufio.NewWriter(os.Stdout)
	in.Buffer(nil, 1<<22)
	for in.Scan() {
		var asked state
		fail(json.Unmarshal(in.Bytes(), &asked))
		line, err := json.Marshal(play(asked))
		fail(err)
		_, err = out.Write(append(line, '\n'))
		fail(err)
	}
	fail(in.Err())
	fail(out.Flush())
}
