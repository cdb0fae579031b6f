package brain

import (
	"math/bits"

	"ouroboros-arena/board"
)

// What fits a mask, and its shifts by one row.
const (
	narrowCells = 128
	narrowWidth = 63
)

// mask is a set of up to 128 cells.
type mask struct{ lo, hi uint64 }

func (m mask) or(o mask) mask      { return mask{m.lo | o.lo, m.hi | o.hi} }
func (m mask) and(o mask) mask     { return mask{m.lo & o.lo, m.hi & o.hi} }
func (m mask) without(o mask) mask { return mask{m.lo &^ o.lo, m.hi &^ o.hi} }
func (m mask) empty() bool         { return m.lo|m.hi == 0 }
func (m mask) size() int           { return bits.OnesCount64(m.lo) + bits.OnesCount64(m.hi) }

// up shifts towards higher cells by n < 128, down towards lower ones.
func (m mask) up(n uint) mask {
	return mask{m.lo << n, m.hi<<n | m.lo>>(64-n) | m.lo<<(n-64)}
}

func (m mask) down(n uint) mask {
	return mask{m.lo>>n | m.hi<<(64-n) | m.hi>>(n-64), m.hi >> n}
}

func bit(c int16) mask {
	return mask{1 << uint16(c), 1 << uint16(c-64)}
}

// lowest is the lowest cell of a set that is not empty.
func (m mask) lowest() int16 {
	if m.lo != 0 {
		return int16(bits.TrailingZeros64(m.lo))
	}
	return int16(64 + bits.TrailingZeros64(m.hi))
}

// narrow floods boards of up to 128 cells, a whole front at a time.
type narrow struct {
	board, notLeft, notRight mask
	kindMask                 [kinds]mask
	hazards                  bool // there are cells of the kinds 2 and 3
	width, lastRow           uint
	white                    mask // the cells of one colour of a chessboard
	wrapped                  bool

	fronts [board.MaxSnakes]front
}

// front is the flood of one snake; fronts are kept longest snake first.
type front struct {
	claims, fresh, tail mask
	body                opener
	length              int32
	snake               int
	foodSteps           int
	tailSteps           int
	near                mask // what is claimed within nearSteps
}

func (n *narrow) prepare(root *board.State) {
	g := root.Geo
	*n = narrow{width: uint(g.W), lastRow: uint(g.W * (g.H - 1)), wrapped: g.Wrapped}
	for c := range g.Cells {
		b := bit(int16(c))
		n.board = n.board.or(b)
		if colour(g, int16(c)) == 1 {
			n.white = n.white.or(b)
		}
		if g.X[c] > 0 {
			n.notLeft = n.notLeft.or(b)
		}
		if int(g.X[c]) < g.W-1 {
			n.notRight = n.notRight.or(b)
		}
		n.kindMask[cellKind(root, c)] = n.kindMask[cellKind(root, c)].or(b)
		n.hazards = n.hazards || cellKind(root, c) > 1
	}
}

// spread is the set of all neighbours of m's cells.
func (n *narrow) spread(m mask) mask {
	out := mask{m.lo << 1, m.hi<<1 | m.lo>>63}.and(n.notLeft)
	out = out.or(mask{m.lo>>1 | m.hi<<63, m.hi >> 1}.and(n.notRight))
	row, rest := n.width&63, (64-n.width)&63 // the masks tell the compiler that no shift is too long
	out = out.or(mask{m.lo << row, m.hi<<row | m.lo>>rest})
	out = out.or(mask{m.lo>>row | m.hi<<rest, m.hi >> row})
	if n.wrapped {
		out = out.or(m.without(n.notLeft).up(n.width - 1)).or(m.without(n.notRight).down(n.width - 1))
		out = out.or(m.up(n.lastRow)).or(m.down(n.lastRow))
	}
	return out.and(n.board)
}

func (n *narrow) flood(g *ground, s *board.State, foods []int16, vacate bool) {
	if g.count == 2 && !n.wrapped {
		n.duel(g, s, foods, vacate)
		return
	}
	fronts := n.fronts[:g.count]
	blocked, food := n.start(g, s, foods)
	var claimed, contested, fresh mask // fresh: the front of the contested cells
	for d := 1; ; d++ {
		if vacate {
			blocked = blocked.without(opening(fronts))
		}
		open := n.board.without(blocked).without(claimed)
		taken, disputed := n.advance(fronts, open)
		if !fresh.empty() {
			disputed = disputed.or(n.spread(fresh).and(open).without(taken))
		}
		if taken = taken.or(disputed); taken.empty() {
			break
		}
		fresh, contested, claimed = disputed, contested.or(disputed), claimed.or(taken)
		for i := range fronts {
			f := &fronts[i]
			f.claims = f.claims.or(f.fresh)
			if d <= nearSteps {
				f.near = f.claims
			}
			if f.foodSteps == farAway && !f.fresh.and(food).empty() {
				f.foodSteps, f.body.late = d, g.grows
				g.foodCell[f.snake] = f.fresh.and(food).lowest()
			}
			if !f.fresh.and(f.tail).empty() {
				f.tailSteps = d
			}
		}
	}
	n.finish(g, s, contested, food)
}

// finish writes the result of the flood down.
func (n *narrow) finish(g *ground, s *board.State, contested, food mask) {
	reached := contested
	for k := range n.fronts[:g.count] {
		reached = reached.or(n.fronts[k].claims)
	}
	n.byKind(contested, &g.disputed)
	for k := range n.fronts[:g.count] {
		f := &n.fronts[k]
		i := f.snake
		n.byKind(f.claims, &g.rooms[i])
		white := f.claims.and(n.white).size()
		g.footing[i] = [2]int{f.claims.size() - white, white}
		g.corridors[i] = f.claims.without(n.roomy(reached.or(bit(s.Snakes[i].Head)))).size()
		g.sealed[i] = n.spread(f.claims).and(reached.without(f.claims)).empty()
		g.foods[i], g.foodSteps[i], g.tailSteps[i] = f.claims.and(food).size(), f.foodSteps, f.tailSteps
		g.near[i] = f.near.size()
	}
}

// byKind counts the cells of a set by kind.
func (n *narrow) byKind(m mask, count *[kinds]int) {
	count[0], count[1] = m.and(n.kindMask[0]).size(), m.and(n.kindMask[1]).size()
	if n.hazards {
		count[2], count[3] = m.and(n.kindMask[2]).size(), m.and(n.kindMask[3]).size()
	} else {
		count[2], count[3] = 0, 0
	}
}

// roomy is the set of all cells with at least three neighbours in m.
func (n *narrow) roomy(m mask) mask {
	west := mask{m.lo << 1, m.hi<<1 | m.lo>>63}.and(n.notLeft)
	east := mask{m.lo>>1 | m.hi<<63, m.hi >> 1}.and(n.notRight)
	row, rest := n.width&63, (64-n.width)&63
	south := mask{m.lo << row, m.hi<<row | m.lo>>rest}
	north := mask{m.lo>>row | m.hi<<rest, m.hi >> row}
	if n.wrapped {
		west, east = west.or(m.without(n.notRight).down(n.width-1)), east.or(m.without(n.notLeft).up(n.width-1))
		south, north = south.or(m.down(n.lastRow)), north.or(m.up(n.lastRow))
	}
	return west.and(east).and(south.or(north)).or(south.and(north).and(west.or(east)))
}

// start marks the bodies and the food, and makes each head its snake's first front.
func (n *narrow) start(g *ground, s *board.State, foods []int16) (blocked, food mask) {
	for k, i := range g.order[:g.count] {
		f := &n.fronts[k]
		f.snake, f.length, f.body = i, s.Snakes[i].Length, opener{path: s.Path(i), at: -s.Stack(i)}
		f.claims, f.near, f.fresh, f.tail = mask{}, mask{}, bit(s.Snakes[i].Head), bit(s.Tail(i))
		f.foodSteps, f.tailSteps = farAway, farAway
		for _, c := range f.body.path {
			blocked = blocked.or(bit(c))
		}
	}
	for _, c := range foods {
		if s.Food[c] {
			food = food.or(bit(c))
		}
	}
	return blocked, food
}

// opening is what bodies leave this turn.
func opening(fronts []front) (cells mask) {
	for i := range fronts {
		cells = cells.or(fronts[i].body.next())
	}
	return cells
}

// advance moves each snake's front on by one turn; it returns all that was reached, and apart from that, though among
// it, what several longest snakes reach together.
func (n *narrow) advance(fronts []front, open mask) (taken, disputed mask) {
	for at := 0; at < len(fronts); {
		length, first := fronts[at].length, at
		var seen, twice mask
		for ; at < len(fronts) && fronts[at].length == length; at++ {
			f := &fronts[at]
			if f.fresh.empty() {
				continue
			}
			f.fresh = n.spread(f.fresh).and(open).without(taken)
			twice = twice.or(f.fresh.and(seen))
			seen = seen.or(f.fresh)
		}
		if !twice.empty() {
			for i := range fronts[first:at] {
				f := &fronts[first+i]
				f.fresh = f.fresh.without(twice)
			}
		}
		taken, disputed = taken.or(seen), disputed.or(twice)
	}
	return taken, disputed
}
