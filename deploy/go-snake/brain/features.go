package brain

import (
	"ouroboros-arena/board"
	"ouroboros-snake/leafeval"
	"ouroboros-snake/weights"
)

// nearSteps is how many turns count as near: the ground reached by then is a head's freedom to move.
const nearSteps = 5

// covers reports whether the learned evaluation was fitted for games like the one at root: anything else is left to our
// own.
func covers(learned *leafeval.Evaluation, root *board.State) bool {
	return learned != nil && root.Geo.W == learned.Width && root.Geo.H == learned.Height && !root.Geo.Wrapped &&
		root.Geo.Cells <= narrowCells && !root.Constrictor && root.Hazards == 0 && len(root.Snakes) > 1
}

// show writes what the learned evaluation is shown of a position with an opponent, whose ground has been filled.
func (e *evaluator) show(s *board.State, shown *leafeval.Shown) {
	me, him, second := &s.Snakes[e.me], -1, -1
	crowd := crowd{longest: 0}
	for i := range s.Snakes {
		rival := &s.Snakes[i]
		if i == e.me || !rival.Alive {
			continue
		}
		crowd.add(e, s, i)
		switch d := s.Geo.Distance(me.Head, rival.Head); {
		case him < 0 || d < s.Geo.Distance(me.Head, s.Snakes[him].Head):
			him, second = i, him
		case second < 0 || d < s.Geo.Distance(me.Head, s.Snakes[second].Head):
			second = i
		}
	}
	e.showSnake(s, e.me, shown[0:13])
	e.showSnake(s, him, shown[13:26])
	e.showPair(s, him, shown[26:34])
	shown[34] = uint16(min(crowd.total(me)/4, 24))
	food := 0
	for _, c := range e.foods {
		if s.Food[c] {
			food++
		}
	}
	shown[35] = uint16(min(food, 9))
	shown[36] = uint16(min(s.Living, 5) - 2)
	shown[37] = clipped(int(me.Length)-crowd.longest, 12)
	shown[38] = uint16(min(crowd.room/4, 30))
	shown[39] = uint16(min(crowd.dangers, 3))
	shown[40] = e.showSecond(s, second)
}

// crowd sums the opponents up.
type crowd struct{ longest, lengths, room, dangers int }

func (c *crowd) add(e *evaluator, s *board.State, i int) {
	rival := &s.Snakes[i]
	c.longest = max(c.longest, int(rival.Length))
	c.lengths += int(rival.Length)
	c.room += e.ground.room(i)
	if rival.Length >= s.Snakes[e.me].Length && s.Geo.Distance(rival.Head, s.Snakes[e.me].Head) <= 4 {
		c.dangers++
	}
}

func (c *crowd) total(me *board.Snake) int { return c.lengths + int(me.Length) }

// clipped is v within -limit..limit, counted from 0.
func clipped(v, limit int) uint16 { return uint16(min(max(v, -limit), limit) + limit) }

// showSnake writes the thirteen numbers of one snake.
func (e *evaluator) showSnake(s *board.State, i int, into []uint16) {
	sn, g := &s.Snakes[i], &e.ground
	room, food, health := g.room(i), min(g.foodSteps[i], 21), min(max(int(sn.Health), 0), board.MaxHealth)
	into[0] = uint16(min(room/2, 60))
	into[1] = uint16(min(room*4/int(sn.Length), 31))
	into[2] = uint16(min(g.near[i], 47))
	into[3] = uint16(food)
	into[4] = uint16(min(g.tailSteps[i], 25))
	into[5] = uint16(health / 4)
	into[6] = uint16(min(g.corridors[i], 20))
	into[7] = uint16(openSteps(s, i))
	into[8] = uint16(min(max(int(sn.Length), 3), 34) - 3)
	x, y := int(s.Geo.X[sn.Head]), int(s.Geo.Y[sn.Head])
	into[9] = folded(min(x, s.Geo.W-1-x), min(y, s.Geo.H-1-y))
	into[10] = uint16(2 * min(g.foods[i], 5))
	if g.sealed[i] {
		into[10]++
	}
	into[11] = uint16(min(g.idle(s, i), 15))
	into[12] = uint16(health/10*12 + min(food, 11))
}

// folded names two distances below 8 whatever their order.
func folded(a, b int) uint16 {
	a, b = min(a, 7), min(b, 7)
	return uint16(min(a, b)*8 + max(a, b))
}

// showPair writes the eight numbers that compare me with the opponent nearest to me.
func (e *evaluator) showPair(s *board.State, him int, into []uint16) {
	mine, his, g := &s.Snakes[e.me], &s.Snakes[him], &e.ground
	lead, distance := int(mine.Length-his.Length), s.Geo.Distance(mine.Head, his.Head)
	dx, dy := steps(s, mine.Head, his.Head)
	into[0] = clipped(lead, 12)
	into[1] = clipped(g.room(e.me)-g.room(him), 60) / 2
	into[2] = clipped(g.near[e.me]-g.near[him], 24)
	into[3] = uint16(min((g.disputed[0]+g.disputed[1])/2, 20))
	into[4] = clipped(lead, 1)*64 + folded(max(dx, -dx), max(dy, -dy))
	into[5] = uint16(min(g.foodSteps[e.me], 7)*8 + min(g.foodSteps[him], 7))
	into[6] = clipped(lead, 3)*15 + uint16(min(distance, 14))
	into[7] = (facing(s, e.me, dx, dy)*3+facing(s, him, -dx, -dy))*8 + uint16(min(distance, 7))
}

// steps is the way from one cell to another, in columns and rows.
func steps(s *board.State, from, to int16) (dx, dy int) {
	return int(s.Geo.X[to]) - int(s.Geo.X[from]), int(s.Geo.Y[to]) - int(s.Geo.Y[from])
}

// facing says whether what lies at (dx, dy) from the snake's head is behind it (0), beside it (1) or ahead of it (2), by
// its last step.
func facing(s *board.State, i, dx, dy int) uint16 {
	path := s.Path(i)
	if len(path) < 2 {
		return 1
	}
	sx, sy := steps(s, path[len(path)-2], path[len(path)-1])
	return clipped(sx*dx+sy*dy, 1)
}

// showSecond writes the opponent whose head is second nearest: how far off, and whether longer.
func (e *evaluator) showSecond(s *board.State, second int) uint16 {
	if second < 0 {
		return 15
	}
	mine, his := &s.Snakes[e.me], &s.Snakes[second]
	return clipped(int(mine.Length-his.Length), 1)*16 + uint16(min(s.Geo.Distance(mine.Head, his.Head), 14))
}

// Shower shows positions to whoever fits a learned evaluation. It keeps its memory between calls.
type Shower struct{ eval evaluator }

// Show is what a learned evaluation is shown of a position with opponents, as snake me sees it, and our own evaluation of
// it.
func (h *Shower) Show(s *board.State, me int, w *weights.Weights) (leafeval.Shown, float64) {
	h.eval.prepare(s, me, w, nil)
	own := h.eval.score(s)
	var shown leafeval.Shown
	h.eval.show(s, &shown)
	return shown, own
}

// OpenMoves lists the moves of snake i that no wall and no body forbids; where there are none, one of the others.
func OpenMoves(s *board.State, i int) []board.Move {
	var moves [4]board.Move
	return moves[:options(s, i, &moves)]
}
