package brain

import "ouroboros-snake/board"

const (
	unclaimed uint8 = 255
	contested uint8 = 254
	farAway         = 1 << 14
)

// territory answers which living snake reaches each cell first: a Voronoi diagram by breadth-first search from all
// heads at once. Of two snakes that arrive together the longer one gets the cell, equals make it contested. A cell
// under a body can be entered from the turn on which that body has left it.
type territory struct {
	owner []uint8
	steps []int16
	queue []int16
	// room is each snake's ground with every cell counted once; worth counts each cell by its cell value.
	room  [board.MaxSnakes]int
	worth [board.MaxSnakes]float64
	// foodSteps is the distance to the nearest food that the snake reaches first (farAway: none), foods their number.
	foodSteps [board.MaxSnakes]int
	foodCell  [board.MaxSnakes]int16
	foods     [board.MaxSnakes]int
	disputed  float64
}

func (t *territory) resize(cells int) {
	if cap(t.owner) < cells {
		t.owner, t.steps, t.queue = make([]uint8, cells), make([]int16, cells), make([]int16, 0, cells)
	}
	t.owner, t.steps = t.owner[:cells], t.steps[:cells]
}

// fill computes the territory of position s. cellValue weighs the cells; with vacate false, bodies never move.
func (t *territory) fill(s *board.State, cellValue []float64, vacate bool) {
	for c := range t.owner {
		t.owner[c] = unclaimed
	}
	t.queue = t.queue[:0]
	t.disputed = 0
	t.seed(s)
	for at := 0; at < len(t.queue); at++ {
		c := t.queue[at]
		o, d := t.owner[c], t.steps[c]
		t.count(s, c, o, int(d), cellValue[c])
		d++
		for _, n := range s.Geo.Next[c] {
			if n == board.Wall {
				continue
			}
			if holder := t.owner[n]; holder != unclaimed {
				if holder != o && holder < contested && o < contested && t.steps[n] == d &&
					s.Snakes[holder].Length == s.Snakes[o].Length {
					t.owner[n] = contested
				}
				continue
			}
			if free := s.FreeAt(n); free > s.Turn && (!vacate || free > s.Turn+int32(d)) {
				continue
			}
			t.owner[n], t.steps[n] = o, d
			t.queue = append(t.queue, n)
		}
	}
}

// seed puts the heads into the queue, longest snake first, so that longer snakes claim first at equal distance.
func (t *territory) seed(s *board.State) {
	for i := range s.Snakes {
		if !s.Snakes[i].Alive {
			continue
		}
		t.room[i], t.worth[i], t.foodSteps[i], t.foods[i] = 0, 0, farAway, 0
		at := len(t.queue)
		t.queue = append(t.queue, 0)
		for at > 0 && s.Snakes[t.owner[t.queue[at-1]]].Length < s.Snakes[i].Length {
			t.queue[at] = t.queue[at-1]
			at--
		}
		head := s.Snakes[i].Head
		t.queue[at] = head
		t.owner[head], t.steps[head] = uint8(i), 0
	}
}

// count books cell c, whose owner is final once it leaves the queue. A head's own cell is no ground.
func (t *territory) count(s *board.State, c int16, o uint8, d int, value float64) {
	if o == contested {
		t.disputed += value
		return
	}
	if d == 0 {
		return
	}
	t.room[o]++
	t.worth[o] += value
	if s.Food[c] {
		t.foods[o]++
		if t.foodSteps[o] == farAway {
			t.foodSteps[o], t.foodCell[o] = d, c
		}
	}
}
