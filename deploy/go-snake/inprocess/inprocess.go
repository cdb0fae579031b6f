// Package inprocess lets the arena of this process ask the brain, with no request in between.
package inprocess

import (
	"sync"
	"time"

	"ouroboros-arena"
	"ouroboros-arena/board"

	"ouroboros-snake/brain"
	"ouroboros-snake/leafeval"
	"ouroboros-snake/weights"
)

// Loader makes the snakes that the arena asks. Each plays by the weights of a YAML text, helped by the learned evaluation,
// which may be nil: within their budgets and their share of the time-out, as the server does, but with one thread, since the
// arena's other games have the other cores.
func Loader(learned func() *leafeval.Evaluation) func(text []byte) (arena.BoardSnake, error) {
	learnedOnce := sync.OnceValue(learned)
	return func(text []byte) (arena.BoardSnake, error) {
		w, err := weights.Parse("weights", text)
		if err != nil {
			return nil, err
		}
		return snake(w, learnedOnce()), nil
	}
}

func snake(w *weights.Weights, learned *leafeval.Evaluation) arena.BoardSnake {
	thinkers := sync.Pool{New: func() any { return &brain.Thinker{Learned: learned} }}
	return func(p *arena.Position) board.Move {
		thinker := thinkers.Get().(*brain.Thinker)
		move := think(thinker, p, w).Move
		thinkers.Put(thinker) // not where it panicked: its memory may be in disorder then
		return move
	}
}

func think(thinker *brain.Thinker, p *arena.Position, w *weights.Weights) brain.Decision {
	if w.Search.TimeShare == 0 {
		return thinker.Choose(p.Board, p.Me, w)
	}
	share := time.Duration(w.Search.TimeShare * float64(p.Timeout))
	return thinker.ChooseUntil(p.Board, p.Me, w, time.Now().Add(share))
}
