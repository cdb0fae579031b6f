package brain

import (
	"math"

	"ouroboros-arena/board"
	"ouroboros-snake/weights"
)

// Thinker chooses moves. It keeps its memory between calls, allocates nothing once warm, and belongs to one
// goroutine at a time. It has no state that outlives a call: the same position always gives the same move.
type Thinker struct {
	eval  evaluator
	me    int
	w     *weights.Weights
	undos [board.MaxPlies]board.Undo
	// budget is the number of positions that may still be scored; ahead is how many turns were played so far.
	budget    int
	ahead     int
	pessimism float64
	multi     bool // the game has opponents at the root
	first     bool // this is the look one turn ahead, which is finished whatever it takes
}

// Decision is a move and how it came about.
type Decision struct {
	Move  board.Move
	Value float64
	// Depth is the number of turns looked ahead, Scored the number of positions scored.
	Depth, Scored int
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
	t.eval.prepare(s, me, w)
	t.me, t.w, t.ahead, t.multi = me, w, 0, s.Living > 1
	depth := t.limits(s)
	total := t.budget
	var moves [4]board.Move
	n := options(s, me, &moves)
	if n == 1 {
		return Decision{Move: moves[0]}
	}
	var roots [4]rootMove
	for i, m := range moves[:n] {
		roots[i] = rootMove{move: m}
	}
	ranked := roots[:n]
	decision := Decision{Move: ranked[0].move}
	var predicted [board.MaxSnakes]board.Move
	t.predictAll(s, &predicted)
	for d := 1; d <= depth && t.budget > 0; d++ {
		t.first = d == 1
		finished := t.look(s, ranked, d, &predicted)
		if finished == n || (finished > 0 && w.Search.KeepPartial) {
			sortRoots(ranked[:finished])
			decision = Decision{Move: ranked[0].move, Value: ranked[0].value, Depth: d}
		}
	}
	decision.Scored = total - t.budget
	return decision
}

// limits sets the budget and the pessimism by the number of opponents, and returns the greatest depth.
func (t *Thinker) limits(s *board.State) int {
	w := &t.w.Search
	switch {
	case s.Living <= 1:
		t.budget, t.pessimism = w.DuelBudget, 0
		return w.SoloDepth
	case s.Living == 2:
		t.budget, t.pessimism = w.DuelBudget, w.DuelPessimism
		return w.DuelDepth
	default:
		t.budget, t.pessimism = w.CrowdBudget, w.CrowdPessimism
		return w.CrowdDepth
	}
}

// look values the root moves at one depth and returns how many it finished before the budget ran out. The first
// depth is always finished.
func (t *Thinker) look(s *board.State, ranked []rootMove, depth int, predicted *[board.MaxSnakes]board.Move) int {
	alpha := math.Inf(-1)
	for i := range ranked {
		v := t.afterMine(s, ranked[i].move, predicted, depth, alpha)
		if t.spent() {
			return i
		}
		ranked[i].value = v
		alpha = max(alpha, v)
	}
	return len(ranked)
}

// spent reports that the look in hand has to be broken off.
func (t *Thinker) spent() bool { return t.budget <= 0 && !t.first }

// sortRoots orders by value, best first; equal values keep their order, which is what makes ties deterministic.
func sortRoots(moves []rootMove) {
	for i := 1; i < len(moves); i++ {
		for at := i; at > 0 && moves[at-1].value < moves[at].value; at-- {
			moves[at-1], moves[at] = moves[at], moves[at-1]
		}
	}
}

// best is the value of a position for me, looking depth turns ahead, within the window alpha to beta.
func (t *Thinker) best(s *board.State, depth int, alpha, beta float64) float64 {
	var moves [4]board.Move
	n := options(s, t.me, &moves)
	var predicted [board.MaxSnakes]board.Move
	t.predictAll(s, &predicted)
	value := math.Inf(-1)
	for _, m := range moves[:n] {
		value = max(value, t.afterMine(s, m, &predicted, depth, alpha))
		alpha = max(alpha, value)
		if value >= beta || t.spent() {
			break
		}
	}
	return value
}

// predictAll predicts every living opponent's move.
func (t *Thinker) predictAll(s *board.State, into *[board.MaxSnakes]board.Move) {
	for i := range s.Snakes {
		if i != t.me && s.Snakes[i].Alive {
			into[i] = t.eval.predict(s, i)
		}
	}
}

// afterMine is the value of my move m: (1 - pessimism) of its value against the predicted replies, and pessimism of its
// value against the worst reply found, where one of the nearest opponents deviates from its prediction at a time.
// Values below alpha are only upper bounds.
func (t *Thinker) afterMine(s *board.State, m board.Move, predicted *[board.MaxSnakes]board.Move,
	depth int, alpha float64) float64 {
	moves := *predicted
	moves[t.me] = m
	expected := t.play(s, &moves, depth, alpha, math.Inf(1))
	if expected <= alpha || t.pessimism == 0 || s.Living < 2 || t.spent() {
		return expected
	}
	var repliers [board.MaxSnakes]int
	worst := expected
	for _, r := range repliers[:t.repliers(s, &repliers)] {
		var replies [4]board.Move
		for _, reply := range replies[:options(s, r, &replies)] {
			if reply == predicted[r] {
				continue
			}
			moves[r] = reply
			low := (alpha - (1-t.pessimism)*expected) / t.pessimism
			worst = min(worst, t.play(s, &moves, depth, low, worst))
			if worst <= low || t.spent() {
				break
			}
		}
		if moves[r] = predicted[r]; t.spent() {
			break
		}
	}
	return (1-t.pessimism)*expected + t.pessimism*worst
}

// repliers lists the opponents whose every reply is tried: the nearest few within the reply radius.
func (t *Thinker) repliers(s *board.State, into *[board.MaxSnakes]int) int {
	n, head := 0, s.Snakes[t.me].Head
	if s.Living == 2 {
		for i := range s.Snakes {
			if i != t.me && s.Snakes[i].Alive {
				into[0] = i
				return 1
			}
		}
	}
	var far [board.MaxSnakes]int
	for i := range s.Snakes {
		if i == t.me || !s.Snakes[i].Alive {
			continue
		}
		d := s.Geo.Distance(head, s.Snakes[i].Head)
		if d > t.w.Search.ReplyRadius {
			continue
		}
		at := n
		for ; at > 0 && far[at-1] > d; at-- {
			far[at], into[at] = far[at-1], into[at-1]
		}
		far[at], into[at] = d, i
		n++
	}
	return min(n, t.w.Search.ReplySnakes)
}

// play plays one turn, values what comes of it and takes it back.
func (t *Thinker) play(s *board.State, moves *[board.MaxSnakes]board.Move, depth int, alpha, beta float64) float64 {
	before := s.Living
	u := &t.undos[t.ahead]
	s.Step(moves, u)
	t.ahead++
	v := t.valueAfter(s, before, depth, alpha, beta)
	t.ahead--
	s.Undo(u)
	return v
}

func (t *Thinker) valueAfter(s *board.State, before, depth int, alpha, beta float64) float64 {
	w := &t.w.Outcome
	delay := w.Delay * float64(t.ahead)
	alive := s.Snakes[t.me].Alive
	switch {
	case !alive && s.Living == 0 && t.multi:
		t.budget--
		return w.Draw + delay
	case !alive:
		t.budget--
		return -w.Death + delay
	case s.Living == 1 && t.multi:
		t.budget--
		return w.Win - delay
	}
	bonus := w.Kill * float64(before-s.Living)
	if depth <= 1 {
		t.budget--
		return bonus + t.eval.score(s)
	}
	return bonus + t.best(s, depth-1, alpha-bonus, beta-bonus)
}
