// Package thoughts tells what the snake thinks of positions, for programs that ask afterwards why a game was lost.
package thoughts

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
	"ouroboros-snake/brain"
	"ouroboros-snake/leafeval"
	"ouroboros-snake/weights"
)

// maxLine bounds a request.
const maxLine = 4 << 20

// answer is what is said of one request.
type answer struct {
	Move   string  `json:"move"`
	Value  float64 `json:"value"`
	Depth  int     `json:"depth"`
	Scored int     `json:"scored"`
	Moves  []said  `json:"moves"`
	Error  string  `json:"error,omitempty"`
}

// said is what the search says of one move.
type said struct {
	Move   string  `json:"move"`
	Value  float64 `json:"value"`
	Holds  bool    `json:"holds"`
	Depth  int     `json:"depth"`
	Scored int     `json:"scored"`
}

// Tell answers the requests of in, one /move request a line, with what the snake thinks of each, one object a line, within
// budget positions a move and by no clock, so that the same request always gets the same answer.
func Tell(in io.Reader, out io.Writer, w *weights.Weights, budget int, learned *leafeval.Evaluation) error {
	own := counted(w, budget)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	writer := json.NewEncoder(out)
	player := brain.Player{Learned: learned}
	for lines.Scan() {
		if err := writer.Encode(about(lines.Bytes(), &player, &own)); err != nil {
			return fmt.Errorf("an answer could not be written: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("a request could not be read: %w", err)
	}
	return nil
}

// counted is the weights with a budget of positions for every move, by no clock and on one thread.
func counted(w *weights.Weights, budget int) weights.Weights {
	own := *w
	own.Search.DuelBudget, own.Search.CrowdBudget = budget, budget
	own.Search.TimeShare, own.Search.Threads = 0, 1
	return own
}

func about(line []byte, player *brain.Player, w *weights.Weights) answer {
	var request api.Request
	if err := api.Decode(line, &request); err != nil {
		return answer{Moves: []said{}, Error: err.Error()}
	}
	decision, found, err := player.Consider(&request, w)
	if err != nil {
		return answer{Moves: []said{}, Error: err.Error()}
	}
	told := answer{Move: board.Words[decision.Move], Value: decision.Value, Depth: decision.Depth,
		Scored: decision.Scored, Moves: make([]said, 0, len(found))}
	for _, t := range found {
		told.Moves = append(told.Moves, said{board.Words[t.Move], t.Value, t.Holds, t.Depth, t.Scored})
	}
	return told
}
