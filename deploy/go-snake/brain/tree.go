package brain

import (
	"math"

	"ouroboros-arena/board"
)

// recall is what the table knows of a position, or a memory that recommends nothing.
func (t *Thinker) recall(key uint64) memory {
	if m, ok := t.table.find(key); ok {
		return m
	}
	return memory{move: noMove, reply: noMove, replier: nobody}
}

// settles reports whether what is remembered answers the question: at least so deep, and exact or outside the window.
func (m *memory) settles(depth int, alpha, beta float64) bool {
	return m.depth >= depth && (m.bound == exact || (m.bound == upper && m.value <= alpha) ||
		(m.bound == lower && m.value >= beta))
}

// best is the value of a position for me, looking depth turns ahead, within the window alpha to beta: values up to alpha
// are upper bounds, values from beta on lower bounds.
func (t *Thinker) best(s *board.State, depth int, alpha, beta float64) float64 {
	key := keyOf(s, t.eval.foods)
	known := t.recall(key)
	if known.settles(depth, alpha, beta) {
		t.quiet++ // for all we know: the lines below it were not looked at again
		return known.value
	}
	var moves [4]board.Move
	n := options(s, t.me, &moves)
	head := s.Snakes[t.me].Head
	t.order.myMoves(moves[:n], head, t.ahead, known.move)
	var predicted [board.MaxSnakes]board.Move
	t.predictAll(s, &predicted)
	found := memory{value: math.Inf(-1), depth: depth, bound: upper, move: noMove & 3, replier: nobody}
	for i, m := range moves[:n] {
		v, reply := t.inTurn(i, s, m, &predicted, depth, max(alpha, found.value), beta, &known)
		if t.spent() {
			return max(found.value, v)
		}
		if v > found.value {
			found.value, found.move, found.reply, found.replier = v, m, reply.reply, reply.replier
		}
		if v >= beta {
			break
		}
	}
	if found.value >= beta {
		found.bound = lower
		t.order.praise(found.move, head, t.ahead, depth)
	} else if found.value > alpha {
		found.bound = exact
		t.order.praise(found.move, head, t.ahead, depth)
	}
	t.table.keep(key, found)
	return found.value
}

// Late in the order comes what is seldom good: it is looked at one turn less deep, and in full only if that promises more
// than what stands ("late move reductions", known from chess). From so many turns on there is something to save.
const reducedFrom = 3

func (t *Thinker) reduces(place, depth int) bool {
	return place > 0 && depth >= reducedFrom && !t.plain
}

// inTurn is afterMine for the move that is tried at that place in the order.
func (t *Thinker) inTurn(place int, s *board.State, m board.Move, predicted *[board.MaxSnakes]board.Move, depth int,
	alpha, beta float64, known *memory) (float64, memory) {
	if t.reduces(place, depth) {
		if v, reply := t.afterMine(s, m, predicted, depth-1, alpha, beta, known); v <= alpha || t.spent() {
			return v, reply
		}
	}
	return t.afterMine(s, m, predicted, depth, alpha, beta, known)
}

// afterMine is the value of my move m: (1 - pessimism) of its value against the predicted replies, and pessimism of its
// value against the worst reply found, where one of the nearest opponents deviates from its prediction at a time.
// Values up to alpha are only upper bounds, values from beta on lower bounds. The memory it returns names the worst reply.
func (t *Thinker) afterMine(s *board.State, m board.Move, predicted *[board.MaxSnakes]board.Move, depth int,
	alpha, beta float64, known *memory) (float64, memory) {
	moves := *predicted
	moves[t.me] = m
	none, p := memory{replier: nobody}, t.pessimism[min(t.ahead, 1)]
	if p == 0 || s.Living < 2 {
		return t.play(s, &moves, depth, alpha, beta), none
	}
	enough := math.Inf(1) // a share of the expected value counts: it must be known
	if p == 1 || s.Living == 2 {
		enough = beta // in a duel the one deviation is soon tried; among several it saves nothing
	}
	expected := t.play(s, &moves, depth, alpha, enough)
	if expected <= alpha || t.spent() {
		return expected, none
	}
	if expected >= enough && p < 1 { // the move is worth beta unless a reply spoils it by more than it promises
		need := (beta - (1-p)*expected) / p
		below := math.Nextafter(need, math.Inf(-1))
		worst, _ := t.worstReply(s, &moves, predicted, depth, below, need, known)
		if worst >= need || t.spent() {
			return beta, none
		}
		expected = t.play(s, &moves, depth, alpha, math.Inf(1))
	}
	worst, reply := t.worstReply(s, &moves, predicted, depth, (alpha-(1-p)*expected)/p, expected, known)
	return (1-p)*expected + p*worst, reply
}

// worstReply is the least value of the replies, at most worst; values up to low are only upper bounds. The memory names
// the reply, if it is worth less than worst.
func (t *Thinker) worstReply(s *board.State, moves, predicted *[board.MaxSnakes]board.Move, depth int, low, worst float64,
	known *memory) (float64, memory) {
	reply := memory{replier: nobody}
	var repliers [board.MaxSnakes]int
	for _, r := range repliers[:t.repliers(s, &repliers)] {
		var replies [4]board.Move
		list := replies[:options(s, r, &replies)]
		likely := noMove
		if known.replier == r {
			likely = known.reply
		}
		t.order.replies(list, s.Snakes[r].Head, t.ahead, likely)
		place := 0
		for _, answer := range list {
			if answer == predicted[r] {
				continue
			}
			moves[r] = answer
			if v := t.replied(place, s, moves, depth, low, worst); v < worst {
				worst, reply.reply, reply.replier = v, answer, r
			}
			if t.spent() {
				break
			}
			if worst <= low {
				t.order.blame(answer, s.Snakes[r].Head, t.ahead, depth)
				break
			}
			place++
		}
		if moves[r] = predicted[r]; t.spent() || worst <= low {
			break
		}
	}
	return worst, reply
}

// replied is play for the reply that is tried at that place in the order.
func (t *Thinker) replied(place int, s *board.State, moves *[board.MaxSnakes]board.Move, depth int, low, worst float64) float64 {
	if t.reduces(place, depth) {
		if v := t.play(s, moves, depth-1, low, worst); v >= worst || t.spent() {
			return v
		}
	}
	return t.play(s, moves, depth, low, worst)
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
		t.count()
		return w.Draw + delay
	case !alive:
		t.count()
		return -w.Death + delay
	case s.Living == 1 && t.multi:
		t.count()
		return w.Win - delay
	}
	bonus := w.Kill * float64(before-s.Living)
	if t.forced < t.w.Search.ForcedTurns && openSteps(s, t.me) == 1 {
		t.forced++
		v := t.best(s, depth, alpha-bonus, beta-bonus)
		t.forced--
		return bonus + v
	}
	if depth <= 1 {
		t.count()
		t.quiet++
		return bonus + t.eval.score(s)
	}
	return bonus + t.best(s, depth-1, alpha-bonus, beta-bonus)
}

// count notes that a position was scored, and now and then looks at the clock.
func (t *Thinker) count() {
	if t.scored++; t.scored%alarmEvery == 0 && t.alarm.rings() {
		t.limit = 0
	}
}
