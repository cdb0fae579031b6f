package brain

import (
	"ouroboros-arena/board"
	"ouroboros-snake/leafeval"
	"ouroboros-snake/weights"
)

// evaluator scores quiet positions for one snake. It keeps its memory between calls and belongs to one goroutine.
type evaluator struct {
	w  *weights.Weights
	me int
	// crowd is where w lies in a decision among more than two that has weights of its own.
	crowd weights.Weights
	// solo: there never was an opponent. late is how far the board has filled, from 0 (early) to 1 (late).
	solo bool
	late float64
	// learned is nil where our own evaluation has no help; own is how much of it counts then, 0 to 1.
	learned *leafeval.Evaluation
	own     float64
	shown   leafeval.Shown

	ground ground
	foods  []int16
	decay  [128]float64
	hunger [board.MaxHealth + 1]float64
}

// prepare sets up everything that stays the same for all positions looked at from root.
func (e *evaluator) prepare(root *board.State, me int, w *weights.Weights, learned *leafeval.Evaluation) {
	w = w.Among(root.Living, &e.crowd)
	e.w, e.me, e.solo = w, me, len(root.Snakes) == 1
	e.foods = e.foods[:0]
	for c, food := range root.Food {
		if food {
			e.foods = append(e.foods, int16(c))
		}
	}
	e.ground.prepare(root, w)
	e.late = lateness(root, &w.Phase)
	e.learned = nil
	if covers(learned, root) {
		e.learned, e.own = learned, float64(learned.HandShare)/leafeval.HandOne
	}
	e.fillTables(w)
}

// lateness runs from 0 while bodies cover at most EarlyFill of the board to 1 from LateFill on.
func lateness(s *board.State, p *weights.Phase) float64 {
	total := 0
	for i := range s.Snakes {
		total += int(s.Snakes[i].Length)
	}
	fill := float64(total) / float64(s.Geo.Cells)
	if p.LateFill <= p.EarlyFill {
		if fill > p.EarlyFill {
			return 1
		}
		return 0
	}
	return min(max((fill-p.EarlyFill)/(p.LateFill-p.EarlyFill), 0), 1)
}

// score is the value of a position in which e.me lives and, unless the game is solo, somebody else does too.
func (e *evaluator) score(s *board.State) float64 {
	e.ground.fill(s, e.foods, e.w.Space.BodiesVacate)
	if e.learned == nil || s.Living < 2 {
		return e.ownScore(s)
	}
	network := &e.learned.Crowd
	if s.Living == 2 {
		network = &e.learned.Duel
	}
	if network.Silent() {
		return e.ownScore(s)
	}
	e.show(s, &e.shown)
	if e.own == 0 {
		return network.Points(&e.shown)
	}
	return e.own*e.ownScore(s) + network.Points(&e.shown)
}

// ownScore is the value by the weights alone, of a position whose ground has been filled.
func (e *evaluator) ownScore(s *board.State) float64 {
	rivals := s.Living - 1
	v := e.space(s, rivals) + e.exits(s) + e.position(s) + e.tail(s, rivals)
	if rivals > 0 {
		v += e.traps(s, rivals) + e.heads(s, rivals)
	}
	if !s.Constrictor {
		v += e.food(s, rivals)
	}
	if s.Hazards > 0 {
		v += e.hazard(s)
	}
	return v
}

func between(early, late, share float64) float64 { return early + (late-early)*share }

// space values my ground against the opponents', and punishes too little of it.
func (e *evaluator) space(s *board.State, rivals int) float64 {
	w, g := &e.w.Space, &e.ground
	mine, theirs, area := e.worth(e.me), 0.0, w.AreaCrowd
	for i := range s.Snakes {
		if i != e.me && s.Snakes[i].Alive {
			theirs += e.worth(i)
		}
	}
	if rivals == 1 {
		area = w.AreaDuel
		if g.sealed[e.me] {
			area = w.AreaSealed
		}
		theirs *= w.OpponentAreaDuel
	} else if rivals > 1 {
		theirs *= w.OpponentAreaCrowd / float64(rivals)
	}
	if s.Constrictor {
		area = w.AreaConstrictor
	}
	area *= between(e.w.Phase.AreaEarly, e.w.Phase.AreaLate, e.late)
	v := (area*(mine-theirs) + w.Contested*g.worth(&g.disputed)) / float64(s.Geo.Cells)
	if lack := e.shortage(s, e.me); lack > 0 {
		if e.reachesTail(s, e.me) {
			lack *= 1 - w.TailRelief
		}
		v -= w.RoomShortage * lack
	}
	return v
}

// worth is what the snake's ground counts, in cells.
func (e *evaluator) worth(i int) float64 {
	return e.ground.worth(&e.ground.rooms[i]) - e.w.Space.CorridorDiscount*float64(e.ground.corridors[i])
}

// shortage is the share of the room the snake needs that it does not have, 0 to 1.
func (e *evaluator) shortage(s *board.State, i int) float64 {
	need := e.w.Space.RoomNeed * float64(s.Snakes[i].Length)
	if room := e.ground.usable(s, i); room < need {
		return 1 - room/need
	}
	return 0
}

// reachesTail reports whether the snake can follow its own tail: it reaches that cell before anybody else.
func (e *evaluator) reachesTail(s *board.State, i int) bool {
	return !s.Constrictor && e.ground.tailSteps[i] < farAway
}

// openSteps counts the cells that snake i can enter next turn.
func openSteps(s *board.State, i int) int {
	n := 0
	for _, c := range s.Geo.Next[s.Snakes[i].Head] {
		if c != board.Wall && s.Enterable(c) {
			n++
		}
	}
	return n
}

func (e *evaluator) exits(s *board.State) float64 {
	switch n := openSteps(s, e.me); n {
	case 0:
		return -e.w.Space.NoExit
	case 1:
		return -e.w.Space.OneExit
	default:
		return e.w.Space.ExtraExit * float64(n-2)
	}
}

// position shapes where the head stands, regardless of anybody else.
func (e *evaluator) position(s *board.State) float64 {
	w, head := &e.w.Position, s.Snakes[e.me].Head
	v := -between(w.CentreEarly, w.CentreLate, e.late) * s.Geo.Off[head]
	switch s.Geo.Sides[head] {
	case 0:
	case 1:
		v -= w.Edge
	default:
		v -= w.Corner
	}
	return v
}

// tail values the way back to one's own tail: that there is one, and how near the tail is while not hungry.
func (e *evaluator) tail(s *board.State, rivals int) float64 {
	if !e.reachesTail(s, e.me) {
		return 0
	}
	w, sn := &e.w.Tail, &s.Snakes[e.me]
	v := w.Reach
	if int(sn.Health) >= w.ChaseHealth {
		chase := w.ChaseCrowd
		if rivals <= 1 {
			chase = w.ChaseDuel
		}
		v += chase / float64(1+e.ground.tailSteps[e.me])
	}
	return v
}
