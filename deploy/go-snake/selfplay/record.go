// Package selfplay plays whole games of the searching snake against itself and shows their positions to the learned
// evaluation: the data that pipeline/leaf_eval fits.
package selfplay

import (
	"fmt"
	"strings"

	"ouroboros-arena"
	"ouroboros-arena/board"
)

// Format names a game's line.
const Format = "ouroboros-self-play/1"

// Record is one game, a line of JSON. The seed and the moves are the whole game: whoever replays it by the rules of
// ouroboros-arena meets every position again.
type Record struct {
	Format string `json:"format"`
	Seed   int64  `json:"seed"`
	Seats  int    `json:"seats"`
	// Positions is the budget of each move.
	Positions int `json:"positions"`
	// Moves has one letter for each seat and turn, as arena.Match.Moves.
	Moves string `json:"moves"`
	// Values are what the search found for each living snake, turn by turn and seat by seat, in whole points; Searched has
	// for each of them whether a search was made at all: where only one move is open there is none.
	Values []int `json:"values"`
	// Searched is one letter for each value: s, or - where only one move was open.
	Searched string `json:"searched"`
	// Scores are each seat's share of the point.
	Scores []float64 `json:"scores"`
	// Asides are positions beside the game, such as a search looks at and a good player never comes to.
	Asides []Aside `json:"asides"`
}

// Aside is a position that was searched though the game did not come to it: Moves, a letter for each snake that lived on
// turn Turn of the game and for each turn from there on. Value is what the search found there for snake Seat of those.
type Aside struct {
	Turn  int    `json:"turn"`
	Seat  int    `json:"seat"`
	Moves string `json:"moves"`
	Value int    `json:"value"`
}

// replay plays the record's game again and calls see before every turn.
func (r *Record) replay(see func(state *board.State, turn int)) error {
	if r.Format != Format {
		return fmt.Errorf("is of format %q, not %q", r.Format, Format)
	}
	game, err := arena.NewMatch(arena.Standard(), r.Seats, r.Seed)
	if err != nil {
		return err
	}
	var moves [board.MaxSnakes]board.Move
	for turn := 0; (turn+1)*r.Seats <= len(r.Moves); turn++ {
		if game.Over() {
			return fmt.Errorf("has moves after the game's end on turn %d", turn)
		}
		see(game.State(), turn)
		if !spelled(r.Moves[turn*r.Seats:], game.State(), &moves) {
			return fmt.Errorf("has no move where a snake lives, or one where it does not, on turn %d", turn)
		}
		game.Play(&moves)
	}
	if !game.Over() {
		return fmt.Errorf("does not come to its end")
	}
	return nil
}

// spelled reads the moves of one turn, a letter for each snake, the dead included; false where they are not its moves.
func spelled(letters string, s *board.State, moves *[board.MaxSnakes]board.Move) bool {
	if len(letters) < len(s.Snakes) {
		return false
	}
	for i := range s.Snakes {
		at := strings.IndexByte("udlr", letters[i])
		if s.Snakes[i].Alive != (at >= 0) {
			return false
		}
		moves[i] = board.Move(max(at, 0))
	}
	return true
}

// reach plays the aside's moves on a copy of the game's position on its turn; false where they are no moves of it.
func (a *Aside) reach(game, into *board.State) bool {
	game.CopyLiving(into)
	count := len(into.Snakes)
	if len(a.Moves)%count != 0 || len(a.Moves) > count*mostBeside || a.Seat < 0 || a.Seat >= count {
		return false
	}
	var moves [board.MaxSnakes]board.Move
	var undo board.Undo
	for at := 0; at < len(a.Moves); at += count {
		if !spelled(a.Moves[at:], into, &moves) {
			return false
		}
		into.Step(&moves, &undo)
	}
	return into.Living > 1 && into.Snakes[a.Seat].Alive
}
