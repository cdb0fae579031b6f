package brain

import "ouroboros-arena/board"

// opener walks along a body and tells which of its cells opens next.
type opener struct {
	path []int16
	at   int  // negative while the tail is stacked
	late bool // the next opening is put off: the snake has eaten on its way
}

func (o *opener) next() mask {
	if o.late {
		o.late = false
		return mask{}
	}
	at := o.at
	o.at++
	if uint(at) < uint(len(o.path)) {
		return bit(o.path[at])
	}
	return mask{}
}

// step is the set of all neighbours of m's cells on a board that does not wrap; the caller drops what lies off it.
func (n *narrow) step(m mask) mask {
	row, rest := n.width&63, (64-n.width)&63
	lo := (m.lo << 1 & n.notLeft.lo) | (m.lo>>1|m.hi<<63)&n.notRight.lo | m.lo<<row | m.lo>>row | m.hi<<rest
	hi := (m.hi<<1|m.lo>>63)&n.notLeft.hi | m.hi>>1&n.notRight.hi | m.hi<<row | m.lo>>rest | m.hi>>row
	return mask{lo, hi}
}

// duel is flood for two snakes on a board that does not wrap: the same, without loops over snakes.
func (n *narrow) duel(g *ground, s *board.State, foods []int16, vacate bool) {
	blocked, food := n.start(g, s, foods)
	a, b := &n.fronts[0], &n.fronts[1]
	bodyA, bodyB := a.body, b.body
	equal := a.length == b.length
	open := n.board.without(blocked)
	freshA, freshB := a.fresh, b.fresh
	var claimsA, claimsB, contested, fresh mask // fresh: the front of the contested cells
	for d := 1; ; d++ {
		if vacate {
			open = open.or(bodyA.next()).or(bodyB.next())
		}
		freshA, freshB = n.step(freshA).and(open), n.step(freshB).and(open)
		var twice mask
		if both := freshA.and(freshB); equal {
			twice, freshA = both, freshA.without(both)
			freshB = freshB.without(both)
		} else {
			freshB = freshB.without(both)
		}
		taken := freshA.or(freshB).or(twice)
		if !fresh.empty() {
			more := n.step(fresh).and(open).without(taken)
			twice, taken = twice.or(more), taken.or(more)
		}
		if taken.empty() {
			break
		}
		fresh = twice
		claimsA, claimsB, contested, open = claimsA.or(freshA), claimsB.or(freshB), contested.or(twice), open.without(taken)
		if d <= nearSteps {
			a.near, b.near = claimsA, claimsB
		}
		if a.foodSteps == farAway && !freshA.and(food).empty() {
			a.foodSteps, bodyA.late = d, g.grows
			g.foodCell[a.snake] = freshA.and(food).lowest()
		}
		if b.foodSteps == farAway && !freshB.and(food).empty() {
			b.foodSteps, bodyB.late = d, g.grows
			g.foodCell[b.snake] = freshB.and(food).lowest()
		}
		if !freshA.and(a.tail).empty() {
			a.tailSteps = d
		}
		if !freshB.and(b.tail).empty() {
			b.tailSteps = d
		}
	}
	a.claims, b.claims = claimsA, claimsB
	n.finish(g, s, contested, food)
}
