package board

import "math"

// MaxSnakes bounds the snakes of one game (official maps take at most 16).
const MaxSnakes = 24

// MaxPlies bounds how many turns may be played ahead of the position that was set up.
const MaxPlies = 32

// Nobody marks a cell without a body in State.Owner.
const Nobody int8 = -1

// MaxHealth is the health after a meal.
const MaxHealth = 100

// Cause is why a snake died.
type Cause uint8

// The causes of death.
const (
	NotDead Cause = iota
	SnakeCollision
	SelfCollision
	OutOfHealth
	HeadCollision
	WallCollision
	HazardDeath
)

// CauseWords are the rules' words, indexed by Cause; empty: alive.
var CauseWords = [...]string{"", "snake-collision", "snake-self-collision", "out-of-health", "head-collision",
	"wall-collision", "hazard"}

// Snake is one snake of a position. It holds no slices, so that it can be saved and restored by plain assignment.
type Snake struct {
	Alive bool
	// Cause is why it died; NotDead while Alive.
	Cause  Cause
	Head   int16
	Length int32
	Health int32
	// grow is how many turns later than stamped each of the snake's cells becomes free, because it ate since.
	grow int32
	// headAt and tailAt index the snake's path; stack counts the extra copies of the tail cell.
	headAt, tailAt, stack int32
}

// State is a position that can be played forwards (Step) and back (Undo) without allocating.
//
// Instead of shifting bodies it stamps each body cell with the turn on which it will be free again: a body entry i of a
// snake of length L seen at turn t is free from turn t + L - i on. Eating delays all cells of a snake by one turn,
// which is one addition to Snake.grow.
type State struct {
	Geo *Geometry
	// Turn counts from 0 at the position that was set up.
	Turn int32
	// Snakes of the position; the dead stay in place with Alive false.
	Snakes []Snake
	Living int
	// Owner is the snake whose body holds the cell, or Nobody. The owner may be dead: ask Blocked.
	Owner []int8
	stamp []int32
	Food  []bool
	// Hazard is the number of hazard layers on each cell; one layer takes HazardDamage health.
	Hazard       []uint8
	Hazards      int
	HazardDamage int32
	// Constrictor: nobody eats, nobody's tail ever moves.
	Constrictor bool

	paths [MaxSnakes][]int16
}

// Reset empties the state for a board of geometry g, keeping its memory.
func (s *State) Reset(g *Geometry) {
	s.Geo, s.Turn, s.Living, s.Hazards = g, 0, 0, 0
	s.HazardDamage, s.Constrictor = 0, false
	s.Snakes = s.Snakes[:0]
	if cap(s.Owner) < g.Cells {
		s.Owner, s.stamp = make([]int8, g.Cells), make([]int32, g.Cells)
		s.Food, s.Hazard = make([]bool, g.Cells), make([]uint8, g.Cells)
	}
	s.Owner, s.stamp, s.Food, s.Hazard = s.Owner[:g.Cells], s.stamp[:g.Cells], s.Food[:g.Cells], s.Hazard[:g.Cells]
	for c := range s.Owner {
		s.Owner[c] = Nobody
	}
	clear(s.Food)
	clear(s.Hazard)
}

// AddSnake adds a living snake from its body, head first, and reports whether it could: the body must not be empty
// and must lie on the board, and there must be room for one more snake.
func (s *State) AddSnake(health int, body []int16) bool {
	if len(body) == 0 || len(s.Snakes) >= MaxSnakes {
		return false
	}
	for _, c := range body {
		if c < 0 || int(c) >= s.Geo.Cells {
			return false
		}
	}
	id := int8(len(s.Snakes))
	length := int32(len(body))
	for i := len(body) - 1; i >= 0; i-- { // tail first, so that of stacked entries the one free last decides
		s.Owner[body[i]] = id
		s.stamp[body[i]] = length - int32(i)
	}
	path := s.paths[id][:0]
	last := len(body) - 1
	stack := int32(0)
	for last > 0 && body[last-1] == body[last] {
		last--
		stack++
	}
	for i := last; i >= 0; i-- {
		path = append(path, body[i])
	}
	for range MaxPlies {
		path = append(path, 0)
	}
	s.paths[id] = path
	s.Snakes = append(s.Snakes, Snake{Alive: true, Head: body[0], Length: length, Health: int32(health),
		headAt: int32(last), stack: stack})
	s.Living++
	return true
}

// AddFood marks food on cell c.
func (s *State) AddFood(c int16) { s.Food[c] = true }

// AddHazard adds one hazard layer to cell c.
func (s *State) AddHazard(c int16) {
	if s.Hazard[c] < math.MaxUint8 {
		s.Hazard[c]++
		s.Hazards++
	}
}

// CopyLiving makes into the same position with its living snakes alone, in the same order, as a request lists them.
func (s *State) CopyLiving(into *State) {
	into.Reset(s.Geo)
	into.HazardDamage, into.Constrictor = s.HazardDamage, s.Constrictor
	copy(into.Food, s.Food)
	copy(into.Hazard, s.Hazard)
	into.Hazards = s.Hazards
	var cells [MaxCells]int16
	for i := range s.Snakes {
		if !s.Snakes[i].Alive {
			continue
		}
		body := cells[:0]
		path := s.Path(i)
		for at := len(path) - 1; at >= 0; at-- {
			body = append(body, path[at])
		}
		for range s.Stack(i) {
			body = append(body, path[0])
		}
		into.AddSnake(int(s.Snakes[i].Health), body)
	}
}

// ClearHazards takes all hazards away.
func (s *State) ClearHazards() {
	clear(s.Hazard)
	s.Hazards = 0
}

// Tail is the cell of the snake's last body entry.
func (s *State) Tail(id int) int16 { return s.paths[id][s.Snakes[id].tailAt] }

// Stacked reports whether the snake's tail stays where it is on the next move.
func (s *State) Stacked(id int) bool { return s.Snakes[id].stack > 0 }

// FreeAt is the turn (on the state's own count) from which cell c can be entered: 0 when it is free now. In
// constrictor a body never leaves.
func (s *State) FreeAt(c int16) int32 {
	o := s.Owner[c]
	if o < 0 || !s.Snakes[o].Alive {
		return 0
	}
	if s.Constrictor {
		return math.MaxInt32
	}
	return s.stamp[c] + s.Snakes[o].grow
}

// Enterable reports whether a head that moves onto cell c next turn meets no body there, going by the bodies as they
// stand now: a tail that moves away counts as free.
func (s *State) Enterable(c int16) bool {
	o := s.Owner[c]
	if o < 0 || !s.Snakes[o].Alive {
		return true
	}
	return c == s.Tail(int(o)) && s.Snakes[o].stack == 0
}

// Path lists the cells of a snake's body once each, tail first, head last. It is only valid until the next Step.
func (s *State) Path(id int) []int16 {
	sn := &s.Snakes[id]
	return s.paths[id][sn.tailAt : sn.headAt+1]
}

// Stack is the number of extra copies of the tail cell: so many moves the tail stays where it is.
func (s *State) Stack(id int) int { return int(s.Snakes[id].stack) }

// MakeRoom lets another MaxPlies turns be played ahead of the present position: who plays a whole game forwards calls
// it before each Step. No Undo of an earlier Step is possible after it.
func (s *State) MakeRoom() {
	for i := range s.Snakes {
		sn := &s.Snakes[i]
		room := int(sn.headAt) + 1 + MaxPlies
		if room <= len(s.paths[i]) {
			continue
		}
		length := copy(s.paths[i], s.paths[i][sn.tailAt:sn.headAt+1])
		sn.tailAt, sn.headAt = 0, int32(length-1)
		// Twice the room that is needed now, so that most turns copy nothing.
		for len(s.paths[i]) < length+2*MaxPlies {
			s.paths[i] = append(s.paths[i], 0)
		}
	}
}
