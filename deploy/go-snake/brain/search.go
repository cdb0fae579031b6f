package brain

import (
	"math"
	"sync/atomic"
	"time"

	"ouroboros-arena/board"
	"ouroboros-snake/leafeval"
	"ouroboros-snake/weights"
)

// Thinker chooses moves. It keeps its memory between calls, allocates nothing once warm, and belongs to one
// goroutine at a time. Nothing it has learnt outlives a call: within the budgets alone, the same position always gives
// the same move.
type Thinker struct {
	// Learned is the learned evaluation that helps our own where it covers the game; nil: none does.
	Learned *leafeval.Evaluation

	eval  evaluator
	me    int
	w     *weights.Weights
	undos [board.MaxPlies]board.Undo
	order order
	table *table
	own   table
	// scored counts the positions scored, quiet those of the look in hand that did not end the game; limit is how many
	// may be scored. ahead is how many turns were played so far, forced how many of them did not count as looked ahead.
	scored, quiet, limit int
	ahead, forced        int
	// pessimism by turns ahead: of the move to be made now, and of later ones.
	pessimism [2]float64
	multi     bool // the game has opponents at the root
	plain     bool // for tests: every move is looked at as deep as the first
	first     bool // this is the look one turn ahead, which is finished whatever it takes
	alarm     alarm
}

// alarm ends a decision by the clock, or when another thinker has ended it.
type alarm struct {
	until time.Time
	stop  *atomic.Bool // nil: no clock at all
}

// alarmEvery is how many positions are scored, about 0.05 ms, between two looks at the clock.
const alarmEvery = 32

func (a *alarm) rings() bool {
	return a.stop != nil && (a.stop.Load() || (!a.until.IsZero() && !time.Now().Before(a.until)))
}

// Decision is a move and how it came about.
type Decision struct {
	Move  board.Move
	Value float64
	// Depth is the number of turns looked ahead, Scored the number of positions scored.
	Depth, Scored int
	// Moves are those that were considered, Considered of them, the best first: its value is exact, that of another is at
	// most what stands here. A move that was the only one is not looked at.
	Moves      [4]Valued
	Considered int
}

// Valued is a move with its value at the deepest look that finished it.
type Valued struct {
	Move  board.Move
	Value float64
}

// rootMove is one of my moves at the root with its value at the deepest finished look.
type rootMove struct {
	move  board.Move
	value float64
}

// Choose picks the move of snake me in position s, which is the same again when it returns. It looks ahead one turn,
// then two, and so on, until the depth or the budget of scored positions given by the weights is used up. There is no
// clock in it.
func (t *Thinker) Choose(s *board.State, me int, w *weights.Weights) Decision {
	t.own.prepare(budgetOf(s, w))
	return t.deepen(s, me, w, &t.own, alarm{}, 1)
}

// budgetOf is the number of positions that may be scored in a decision at s.
func budgetOf(s *board.State, w *weights.Weights) int {
	if s.Living > 2 {
		return w.Search.CrowdBudget
	}
	return w.Search.DuelBudget
}

// deepen looks from turns ahead, then one more, and so on, until the alarm rings.
func (t *Thinker) deepen(s *board.State, me int, w *weights.Weights, memory *table, alarm alarm, from int) Decision {
	depth := t.begin(s, me, w, memory, alarm)
	var moves [4]board.Move
	n := options(s, me, &moves)
	decision := Decision{Move: moves[0]}
	if n == 1 {
		return decision
	}
	var roots [4]rootMove
	for i, m := range moves[:n] {
		roots[i] = rootMove{move: m}
	}
	ranked := roots[:n]
	var predicted [board.MaxSnakes]board.Move
	t.predictAll(s, &predicted)
	for d := from; d <= depth && (t.scored < t.limit || d == 1); d++ {
		t.first, t.quiet = d == 1, 0
		finished := t.look(s, ranked, d, &predicted)
		if finished == n || (finished > 0 && w.Search.KeepPartial) {
			sortRoots(ranked[:finished])
			decision = Decision{Move: ranked[0].move, Value: ranked[0].value, Depth: d}
		}
		if t.quiet == 0 {
			break // every line ends the game: there is nothing deeper
		}
	}
	decision.Scored, decision.Considered = t.scored, n
	for i, r := range ranked {
		decision.Moves[i] = Valued{r.move, r.value}
	}
	return decision
}

// begin forgets the decision before, and returns the greatest depth.
func (t *Thinker) begin(s *board.State, me int, w *weights.Weights, memory *table, alarm alarm) int {
	t.table, t.alarm = memory, alarm
	t.eval.prepare(s, me, w, t.Learned)
	t.me, t.w, t.ahead, t.forced, t.scored, t.multi = me, t.eval.w, 0, 0, 0, s.Living > 1
	t.order.clear()
	return t.limits(s)
}

// limits sets the budget and the pessimism by the number of opponents, and returns the greatest depth.
func (t *Thinker) limits(s *board.State) int {
	w := &t.w.Search
	t.limit = budgetOf(s, t.w)
	switch {
	case s.Living <= 1:
		t.pessimism = [2]float64{}
		return w.SoloDepth
	case s.Living == 2:
		t.pessimism = [2]float64{w.DuelPessimism, w.DuelPessimismLater}
		return w.DuelDepth
	default:
		t.pessimism = [2]float64{w.CrowdPessimism, w.CrowdPessimismLater}
		return w.CrowdDepth
	}
}

// look values the root moves at one depth and returns how many it finished before the budget ran out. The first
// depth is always finished.
func (t *Thinker) look(s *board.State, ranked []rootMove, depth int, predicted *[board.MaxSnakes]board.Move) int {
	alpha := math.Inf(-1)
	key := keyOf(s, t.eval.foods)
	known := t.recall(key)
	for i := range ranked {
		v, reply := t.afterMine(s, ranked[i].move, predicted, depth, alpha, math.Inf(1), &known)
		if t.spent() {
			return i
		}
		ranked[i].value = v
		if v > alpha {
			alpha = v
			reply.move, reply.depth, reply.bound, reply.value = ranked[i].move, depth, lower, v
			t.table.keep(key, reply)
		}
	}
	return len(ranked)
}

// spent reports that the look in hand has to be broken off.
func (t *Thinker) spent() bool { return t.scored >= t.limit && !t.first }

// sortRoots orders by value, best first; equal values keep their order, which is what makes ties deterministic.
func sortRoots(moves []rootMove) {
	for i := 1; i < len(moves); i++ {
		for at := i; at > 0 && moves[at-1].value < moves[at].value; at-- {
			moves[at-1], moves[at] = moves[at], moves[at-1]
		}
	}
}

// predictAll predicts every living opponent's move.
func (t *Thinker) predictAll(s *board.State, into *[board.MaxSnakes]board.Move) {
	for i := range s.Snakes {
		if i != t.me && s.Snakes[i].Alive {
			into[i] = t.eval.predict(s, i)
		}
	}
}
