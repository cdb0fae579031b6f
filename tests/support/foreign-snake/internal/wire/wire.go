// Package wire is the API's JSON as Hydra reads it.
package wire

// Request is a move request.
type Request struct {
	Turn  int
	Board struct {
		Width, Height int
		Food, Hazards []Cell
		Snakes        []Snake
	}
	You Snake
}

// Snake is one of them.
type Snake struct {
	ID     string
	Health int
	Body   []Cell
}

// Cell of the board.
type Cell struct{ X, Y int }
