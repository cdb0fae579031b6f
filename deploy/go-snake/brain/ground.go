package brain

import (
	"ouroboros-arena/board"
	"ouroboros-snake/weights"
)

const (
	farAway = 1 << 14
	kinds   = 4 // of cells: bit 0 set on the board's edge, bit 1 in a hazard that hurts
)

// ground answers which living snake reaches each cell first, by a flood from all heads at once, turn by turn:
//   - the front of a snake's ground moves to every neighbour that no body holds by then: a cell under a body is open
//     from the turn on which that body will have left it, but no front waits for that;
//   - of snakes that arrive together the longest gets the cell; if several are longest, nobody does: it is contested,
//     and what can only be reached through contested cells is contested too.
//
// Two floods fill it: narrow for boards of up to 128 cells, wide for all others.
type ground struct {
	// rooms counts each snake's cells by kind; room is their sum. A head's own cell is no ground.
	rooms    [board.MaxSnakes][kinds]int
	disputed [kinds]int
	// foodSteps is the distance to the nearest food on the snake's ground (farAway: none), foodCell that food's cell
	// (the lowest of equals), foods the number of pieces on its ground.
	foodSteps [board.MaxSnakes]int
	foodCell  [board.MaxSnakes]int16
	foods     [board.MaxSnakes]int
	// corridors counts the cells of a snake's ground that have at most two neighbours on anybody's ground or at its head:
	// one enters and leaves them one way only. footing splits the ground by colour, as on a chessboard.
	corridors [board.MaxSnakes]int
	footing   [board.MaxSnakes][2]int
	// sealed: the snake's ground touches no ground of others and nothing contested.
	sealed [board.MaxSnakes]bool
	// near counts the cells of the snake's ground that it reaches within nearSteps; the narrow floods alone fill it.
	near [board.MaxSnakes]int
	// tailSteps is the distance to the snake's own tail over its own ground, farAway if that does not hold it.
	tailSteps [board.MaxSnakes]int

	value  [kinds]float64
	order  [board.MaxSnakes]int // living snakes, longest first
	count  int
	grows  bool // bodies that reach food grow: what they hold opens one turn later from then on
	parity float64
	small  bool // the board fits the narrow flood
	narrow narrow
	wide   wide
}

func (g *ground) room(i int) int {
	r := &g.rooms[i]
	return r[0] + r[1] + r[2] + r[3]
}

func (g *ground) worth(cells *[kinds]int) float64 {
	return float64(cells[0])*g.value[0] + float64(cells[1])*g.value[1] + float64(cells[2])*g.value[2] +
		float64(cells[3])*g.value[3]
}

// usable is how much of its ground the snake can tread: it steps on the chessboard's colours in turn, so that of the
// colour there is more of some cells stay over. A share of those, as the weights have it, does not count.
func (g *ground) usable(s *board.State, i int) float64 {
	return float64(g.room(i)) - g.parity*float64(g.idle(s, i))
}

// idle is how many cells of its ground stay over when the snake treads the two colours in turn.
func (g *ground) idle(s *board.State, i int) int {
	head := s.Snakes[i].Head
	next, same := g.footing[i][colour(s.Geo, head)^1], g.footing[i][colour(s.Geo, head)]
	return max(next-same-1, same-next, 0)
}

func colour(g *board.Geometry, c int16) int { return int(g.X[c]+g.Y[c]) & 1 }

// prepare sets what holds for all positions reached from root.
func (g *ground) prepare(root *board.State, w *weights.Weights) {
	g.grows, g.parity = w.Space.TailsGrow && !root.Constrictor, w.Space.Parity
	for kind := range g.value {
		g.value[kind] = 1
		if kind&1 != 0 {
			g.value[kind] *= w.Space.EdgeCell
		}
		if kind&2 != 0 {
			g.value[kind] *= 1 - w.Hazard.AreaDiscount
		}
	}
	if g.small = root.Geo.Cells <= narrowCells && root.Geo.W <= narrowWidth; g.small {
		g.narrow.prepare(root)
	} else {
		g.wide.prepare(root)
	}
}

// cellKind classifies a cell for ground.value.
func cellKind(s *board.State, c int) int {
	kind := 0
	if s.Geo.Sides[c] > 0 {
		kind = 1
	}
	if s.Hazard[c] > 0 && s.HazardDamage > 0 {
		kind |= 2
	}
	return kind
}

// fill computes the ground of position s; with vacate false, bodies never move.
func (g *ground) fill(s *board.State, foods []int16, vacate bool) {
	g.count = 0
	for i := range s.Snakes {
		if !s.Snakes[i].Alive {
			continue
		}
		at := g.count
		for ; at > 0 && s.Snakes[g.order[at-1]].Length < s.Snakes[i].Length; at-- {
			g.order[at] = g.order[at-1]
		}
		g.order[at] = i
		g.count++
	}
	vacate = vacate && !s.Constrictor
	if g.small {
		g.narrow.flood(g, s, foods, vacate)
	} else {
		g.wide.flood(g, s, vacate)
	}
}
