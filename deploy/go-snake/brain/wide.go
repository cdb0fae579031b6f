package brain

import (
	"math"

	"ouroboros-arena/board"
)

const (
	unclaimed uint8 = 255
	nobodys   uint8 = board.MaxSnakes // owner of contested cells, and index of their fronts
)

// wide floods boards of any size, cell by cell.
type wide struct {
	kindOf []uint8
	owner  []uint8
	steps  []int16
	fronts [board.MaxSnakes + 1][]int16
	fresh  [board.MaxSnakes + 1][]int16
}

func (w *wide) prepare(root *board.State) {
	cells := root.Geo.Cells
	if cap(w.owner) < cells {
		w.kindOf, w.owner, w.steps = make([]uint8, cells), make([]uint8, cells), make([]int16, cells)
	}
	w.kindOf, w.owner, w.steps = w.kindOf[:cells], w.owner[:cells], w.steps[:cells]
	for c := range cells {
		w.kindOf[c] = uint8(cellKind(root, c))
	}
}

func (w *wide) flood(g *ground, s *board.State, vacate bool) {
	order := g.order[:g.count]
	w.start(g, s)
	for d := 1; ; d++ {
		for _, i := range order {
			w.advance(g, s, uint8(i), d, vacate)
		}
		w.advance(g, s, nobodys, d, vacate) // last: it gets what no snake reaches this turn
		reached := 0
		for _, i := range order {
			reached += len(w.fresh[i])
			w.settle(g, s, i, d)
		}
		reached += len(w.fresh[nobodys])
		w.fronts[nobodys], w.fresh[nobodys] = w.fresh[nobodys], w.fronts[nobodys][:0]
		for _, c := range w.fronts[nobodys] {
			g.disputed[w.kindOf[c]]++
		}
		if reached == 0 {
			w.shape(g, s)
			return
		}
	}
}

// start makes each head its snake's first front and empties the result.
func (w *wide) start(g *ground, s *board.State) {
	for c := range w.owner {
		w.owner[c] = unclaimed
	}
	w.fronts[nobodys], w.fresh[nobodys] = w.fronts[nobodys][:0], w.fresh[nobodys][:0]
	g.disputed = [kinds]int{}
	for _, i := range g.order[:g.count] {
		g.rooms[i] = [kinds]int{}
		g.foods[i], g.foodSteps[i], g.tailSteps[i] = 0, farAway, farAway
		w.fronts[i], w.fresh[i] = append(w.fronts[i][:0], s.Snakes[i].Head), w.fresh[i][:0]
	}
}

// advance claims for owner i all open neighbours of its front. Cells that an equally long snake has claimed this very
// turn become contested.
func (w *wide) advance(g *ground, s *board.State, i uint8, d int, vacate bool) {
	by := s.Turn
	if vacate {
		by += int32(d)
	}
	for _, c := range w.fronts[i] {
		for _, n := range s.Geo.Next[c] {
			if n == board.Wall {
				continue
			}
			holder := w.owner[n]
			if holder == unclaimed {
				if w.freeAt(g, s, n, d) <= by {
					w.owner[n], w.steps[n] = i, int16(d)
					w.fresh[i] = append(w.fresh[i], n)
				}
			} else if holder != i && holder != nobodys && i != nobodys && w.steps[n] == int16(d) &&
				s.Snakes[holder].Length == s.Snakes[i].Length {
				w.owner[n] = nobodys
				w.fresh[nobodys] = append(w.fresh[nobodys], n)
			}
		}
	}
}

// freeAt is the turn from which cell c is open, as far as is known after d - 1 turns of the flood: a body whose snake
// reached food by then grows, and leaves its cells one turn later.
func (w *wide) freeAt(g *ground, s *board.State, c int16, d int) int32 {
	free := s.FreeAt(c)
	if owner := s.Owner[c]; g.grows && free > s.Turn+int32(g.foodSteps[max(owner, 0)]) && owner >= 0 && g.foodSteps[owner] < d {
		free++
	}
	return free
}

// shape finds corridors, colours and sealed grounds.
func (w *wide) shape(g *ground, s *board.State) {
	for _, i := range g.order[:g.count] {
		g.corridors[i], g.footing[i], g.sealed[i] = 0, [2]int{}, true
	}
	for c, i := range w.owner {
		if i == unclaimed || i == nobodys {
			continue
		}
		g.footing[i][colour(s.Geo, int16(c))]++
		ways := 0
		for _, n := range s.Geo.Next[c] {
			if n == board.Wall {
				continue
			}
			if w.owner[n] != unclaimed || n == s.Snakes[i].Head {
				ways++
			}
			g.sealed[i] = g.sealed[i] && (w.owner[n] == unclaimed || w.owner[n] == i)
		}
		if ways < 3 {
			g.corridors[i]++
		}
	}
}

// settle books what snake i reached on turn d, less what turned out contested, and makes it the snake's next front.
func (w *wide) settle(g *ground, s *board.State, i, d int) {
	kept := w.fronts[i][:0]
	nearest := int16(math.MaxInt16)
	for _, c := range w.fresh[i] {
		if w.owner[c] != uint8(i) {
			continue
		}
		kept = append(kept, c)
		g.rooms[i][w.kindOf[c]]++
		if s.Food[c] {
			g.foods[i]++
			nearest = min(nearest, c)
		}
		if c == s.Tail(i) {
			g.tailSteps[i] = d
		}
	}
	if g.foodSteps[i] == farAway && nearest < math.MaxInt16 {
		g.foodSteps[i], g.foodCell[i] = d, nearest
	}
	w.fronts[i], w.fresh[i] = kept, w.fresh[i][:0]
}
