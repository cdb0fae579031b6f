package arena

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ouroboros-arena/board"
)

// Snake chooses a move: "up", "down", "left" or "right". Several games ask it at the same time, from as many goroutines,
// as an HTTP server's handler is asked; it may keep and change the state, which is its own.
type Snake func(*State) string

// FromJSON makes a Snake of a function that reads the request as the API's JSON text: for a snake with types of its own.
func FromJSON(move func(request []byte) (string, error)) Snake {
	return func(s *State) string {
		text, err := json.Marshal(s)
		if err != nil {
			panic(err) // plain data: cannot happen
		}
		word, err := move(text)
		if err != nil {
			panic(err) // a failure of the snake, as an answer with another status is over HTTP
		}
		return word
	}
}

// BoardSnake chooses a move on the arena's own board, without any request made: the fast way, for our own snake.
type BoardSnake func(*Position) board.Move

// Position is what a BoardSnake is asked about. It is the snake's own: it may play turns on the board, and keep them.
type Position struct {
	// Board holds the living snakes alone, in the order of their seats, as a request does.
	Board *board.State
	// Me is the index of the snake that is asked.
	Me, Turn int
	Timeout  time.Duration
}

// player is a snake of either kind.
type player struct {
	api     Snake
	onBoard BoardSnake
}

// answer is a move, or why there is none.
type answer struct {
	move    board.Move
	failure failure
	detail  string
}

// failure is the kind of a failed move, in the protocol's words; empty: none.
type failure string

const (
	timedOut failure = "timeout"
	crashed  failure = "crash"
	badMove  failure = "bad_move"
)

// question returns the call that asks the snake at a seat; it touches nothing of the game, which may go on without it.
// view is memory for a board, which the call takes over.
func (p *player) question(g *game, who *identity, seat int, view *board.State) func() answer {
	if p.onBoard == nil {
		state := g.request(who, seat)
		return func() answer { return spoken(p.api(state)) }
	}
	g.state.CopyLiving(view)
	me := 0
	for i := range seat {
		if g.state.Snakes[i].Alive {
			me++
		}
	}
	position := &Position{Board: view, Me: me, Turn: g.turn, Timeout: g.conditions.timeout()}
	return func() answer {
		move := p.onBoard(position)
		if move > board.Right {
			return answer{failure: badMove, detail: fmt.Sprintf("move number %d", move)}
		}
		return answer{move: move}
	}
}

func (c *Conditions) timeout() time.Duration { return time.Duration(c.TimeoutMs) * time.Millisecond }

// spoken reads a move's word.
func spoken(word string) answer {
	if at := slices.Index(board.Words[:], word); at >= 0 {
		return answer{move: board.Move(at)}
	}
	return answer{failure: badMove, detail: fmt.Sprintf("%.40q is no move", word)}
}
