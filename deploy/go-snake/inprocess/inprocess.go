// Package inprocess lets the arena of this process ask the brain, with no request in between.
package inprocess

import (
	"sync"
	"time"

	"ouroboros-arena"
	"ouroboros-arena/board"

	"ouroboros-snake/brain"
	"ouroboros-snake/weights"
)

// Load makes the snake that the arena asks, playing by the weights of a YAML text: within their budgets and their share of
// the time-out, as the server does, but with one thread, since the arena's other games have the other cores.
func Load(text []byte) (arena.BoardSnake, error) {
	w, err := weights.Parse("weights", text)
	if err != nil {
		return nil, err
	}
	thinkers := sync.Pool{New: func() any { return new(brain.Thinker) }}
	return func(p *arena.Position) board.Move {
		thinker := thinkers.Get().(*brain.Thinker)
		move := think(thinker, p, w).Move
		thinkers.Put(thinker) // not where it panicked: its memory may be in disorder then
		return move
	}, nil
}

func think(thinker *brain.Thinker, p *arena.Position, w *weights.Weights) brain.Decision {
	if w.Search.TimeShare == 0 {
		return thinker.Choose(p.Board, p.Me, w)
	}
	share := time.Duration(w.Search.TimeShare * float64(p.Timeout))
	return thinker.ChooseUntil(p.Board, p.Me, w, time.Now().Add(share))
}
