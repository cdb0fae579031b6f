// Package mind is how Hydra decides: one turn ahead, by who reaches which cell first.
package mind

import "example.com/hydra/internal/wire"

var steps = []struct {
	word   string
	dx, dy int
}{{"up", 0, 1}, {"down", 0, -1}, {"left", -1, 0}, {"right", 1, 0}}

type board struct {
	w, h  int
	taken []bool
}

func (b *board) at(c wire.Cell) int {
	if c.X < 0 || c.Y < 0 || c.X >= b.w || c.Y >= b.h {
		return -1
	}
	return c.Y*b.w + c.X
}

func (b *board) open(c wire.Cell) bool { at := b.at(c); return at >= 0 && !b.taken[at] }

// Decide returns the move.
func Decide(r *wire.Request, s *Settings) string {
	b := &board{w: r.Board.Width, h: r.Board.Height, taken: make([]bool, r.Board.Width*r.Board.Height)}
	for _, snake := range r.Board.Snakes {
		for _, cell := range snake.Body[:len(snake.Body)-1] {
			if at := b.at(cell); at >= 0 {
				b.taken[at] = true
			}
		}
	}
	best, word := -1e9, "up"
	for _, step := range steps {
		to := wire.Cell{X: r.You.Body[0].X + step.dx, Y: r.You.Body[0].Y + step.dy}
		if !b.open(to) {
			continue
		}
		if value := s.value(r, b, to); value > best {
			best, word = value, step.word
		}
	}
	return word
}

func (s *Settings) value(r *wire.Request, b *board, to wire.Cell) float64 {
	mine, theirs := reach(r, b, to)
	value := s.Strategy.Territory.Mine*float64(mine) - s.Strategy.Territory.Theirs*float64(theirs)
	if mine < len(r.You.Body) {
		value -= s.Strategy.Territory.Cramped
	}
	if to.X == 0 || to.Y == 0 || to.X == b.w-1 || to.Y == b.h-1 {
		value -= s.Strategy.Ground.Edge
	}
	return value + s.meetings(r, to) - s.hunger(r)*nearest(r.Board.Food, to)
}

func (s *Settings) hunger(r *wire.Request) float64 {
	if float64(r.You.Health) < s.Strategy.Appetite.Threshold {
		return s.Strategy.Appetite.Urgency
	}
	return s.Strategy.Appetite.Idle
}

func (s *Settings) meetings(r *wire.Request, to wire.Cell) (value float64) {
	for _, other := range r.Board.Snakes {
		if other.ID == r.You.ID || distance(other.Body[0], to) != 1 {
			continue
		}
		longer := len(other.Body) - len(r.You.Body)
		if longer > 0 || longer == 0 && s.Strategy.Encounters.Cautious {
			value -= s.Strategy.Encounters.Losing
		} else {
			value += s.Strategy.Encounters.Winning
		}
	}
	return value
}

// reach counts the cells that I reach first from to, and those that the others do.
func reach(r *wire.Request, b *board, to wire.Cell) (mine, theirs int) {
	owner := make([]int8, len(b.taken))
	queue := []wire.Cell{}
	for _, other := range r.Board.Snakes {
		if other.ID != r.You.ID {
			queue = append(queue, other.Body[0])
			owner[b.at(other.Body[0])] = 2
		}
	}
	queue = append(queue, to) // last: who is there at the same time as another is too late
	owner[b.at(to)] = 1
	for len(queue) > 0 {
		cell := queue[0]
		queue = queue[1:]
		who := owner[b.at(cell)]
		if who == 1 {
			mine++
		} else {
			theirs++
		}
		for _, step := range steps {
			next := wire.Cell{X: cell.X + step.dx, Y: cell.Y + step.dy}
			if b.open(next) && owner[b.at(next)] == 0 {
				owner[b.at(next)] = who
				queue = append(queue, next)
			}
		}
	}
	return mine, theirs
}

func nearest(cells []wire.Cell, to wire.Cell) float64 {
	best := 0
	for i, cell := range cells {
		if d := distance(cell, to); i == 0 || d < best {
			best = d
		}
	}
	return float64(best)
}

func distance(a, b wire.Cell) int { return abs(a.X-b.X) + abs(a.Y-b.Y) }

func abs(v int) int { return max(v, -v) }
