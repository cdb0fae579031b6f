// Package inprocess lets the arena of this process ask the brain, with no request in between.
package inprocess

import (
	"sync"

	"ouroboros-arena"
	"ouroboros-arena/board"

	"ouroboros-snake/brain"
	"ouroboros-snake/weights"
)

// Load makes the snake that the arena asks, playing by the weights of a YAML text.
func Load(text []byte) (arena.BoardSnake, error) {
	w, err := weights.Parse("weights", text)
	if err != nil {
		return nil, err
	}
	thinkers := sync.Pool{New: func() any { return new(brain.Thinker) }}
	return func(p *arena.Position) board.Move {
		thinker := thinkers.Get().(*brain.Thinker)
		move := thinker.Choose(p.Board, p.Me, w).Move
		thinkers.Put(thinker) // not where it panicked: its memory may be in disorder then
		return move
	}, nil
}
