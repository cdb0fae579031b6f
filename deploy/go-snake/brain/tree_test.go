package brain

import (
	"math"
	"testing"
	"time"

	"ouroboros-arena/board"
)

// plainly is what best computes, by trying everything: no window, no order, no table.
func plainly(t *Thinker, s *board.State, depth int) float64 {
	var moves [4]board.Move
	var predicted [board.MaxSnakes]board.Move
	t.predictAll(s, &predicted)
	value := math.Inf(-1)
	for _, m := range moves[:options(s, t.me, &moves)] {
		value = max(value, plainlyAfter(t, s, m, &predicted, depth))
	}
	return value
}

func plainlyAfter(t *Thinker, s *board.State, m board.Move, predicted *[board.MaxSnakes]board.Move, depth int) float64 {
	moves := *predicted
	moves[t.me] = m
	expected := plainlyPlayed(t, s, &moves, depth)
	worst := expected
	var repliers [board.MaxSnakes]int
	if s.Living < 2 {
		return expected
	}
	p := t.pessimism[min(t.ahead, 1)]
	for _, r := range repliers[:t.repliers(s, &repliers)] {
		var replies [4]board.Move
		for _, reply := range replies[:options(s, r, &replies)] {
			moves[r] = reply
			worst = min(worst, plainlyPlayed(t, s, &moves, depth))
		}
		moves[r] = predicted[r]
	}
	return (1-p)*expected + p*worst
}

func plainlyPlayed(t *Thinker, s *board.State, moves *[board.MaxSnakes]board.Move, depth int) float64 {
	w := &t.w.Outcome
	before := s.Living
	var u board.Undo
	s.Step(moves, &u)
	t.ahead++
	defer func() { t.ahead--; s.Undo(&u) }()
	delay := w.Delay * float64(t.ahead)
	alive := s.Snakes[t.me].Alive
	switch {
	case !alive && s.Living == 0 && t.multi:
		return w.Draw + delay
	case !alive:
		return -w.Death + delay
	case s.Living == 1 && t.multi:
		return w.Win - delay
	}
	bonus := w.Kill * float64(before-s.Living)
	if t.forced < t.w.Search.ForcedTurns && openSteps(s, t.me) == 1 {
		t.forced++
		defer func() { t.forced-- }()
		return bonus + plainly(t, s, depth)
	}
	if depth <= 1 {
		return bonus + t.eval.score(s)
	}
	return bonus + plainly(t, s, depth-1)
}

// TestSearchAgreesWithTryingEverything: windows, table and order of moves save work, and change no value.
func TestSearchAgreesWithTryingEverything(t *testing.T) {
	w := shipped(t, 1000000)
	compared := 0
	for k, view := range corpus(t, shipped(t, 60), 47) {
		depth := 4 - min(len(view.Board.Snakes)/2, 2)
		w.Search.DuelDepth, w.Search.CrowdDepth, w.Search.SoloDepth = depth, depth, depth
		w.Search.ForcedTurns = k % 3
		w.Search.DuelPessimismLater = float64(k%4+1) / 4
		w.Search.CrowdPessimismLater = float64(k%5) / 4
		var p Player
		p.thinker.plain = true
		d := decide(t, &p, view, w)
		if d.Depth == 0 {
			continue // no choice
		}
		me, err := p.place(view)
		if err != nil {
			t.Fatal(err)
		}
		p.thinker.ahead, p.thinker.forced = 0, 0
		want := plainly(&p.thinker, &p.state, d.Depth)
		if math.Abs(d.Value-want) > 1e-4*(1+math.Abs(want)) {
			t.Errorf("position %d, snake %d of %d, depth %d: search says %v, trying everything %v", k, me,
				len(view.Board.Snakes), d.Depth, d.Value, want)
		}
		compared++
	}
	if compared < 60 {
		t.Fatalf("only %d positions were compared", compared)
	}
}

// TestLateMovesAreLookedAtLessDeep: that saves half of the positions, and seldom changes the move.
func TestLateMovesAreLookedAtLessDeep(t *testing.T) {
	w := shipped(t, 1000000)
	w.Search.DuelDepth = 6
	var plain, reduced Player
	plain.thinker.plain = true
	same, all, before, now := 0, 0, 0, 0
	views := midgame(t, "standard", 2, 4)
	for k := 0; k < len(views); k += 12 {
		a, b := decide(t, &plain, views[k], w), decide(t, &reduced, views[k], w)
		before, now, all = before+a.Scored, now+b.Scored, all+1
		if a.Move == b.Move {
			same++
		}
	}
	if t.Logf("%d positions, %d with the same move; %d scored, before %d", all, same, now, before); all < 40 ||
		same*100 < all*85 || now*3 > before*2 {
		t.Fail()
	}
}

func TestTableKeepsWhatItIsTold(t *testing.T) {
	var table table
	table.prepare(100)
	known := memory{value: -123.5, depth: 17, bound: upper, move: 3, reply: 2, replier: 23}
	table.keep(1<<40|7, known)
	if got, ok := table.find(1<<40 | 7); !ok || got != known {
		t.Errorf("got %+v, %v", got, ok)
	}
	if _, ok := table.find(1<<41 | 7); ok {
		t.Error("another position in the same place was taken for it")
	}
	shallow := known
	shallow.depth = 3
	if table.keep(1<<41|7, shallow); !has(&table, 1<<40|7) {
		t.Error("a shallower look drove a deeper one out")
	}
	for range 300 { // more decisions than there are ages
		table.prepare(100)
		if has(&table, 1<<40|7) {
			t.Fatal("an earlier decision's memory shines through")
		}
	}
}

func has(t *table, key uint64) bool {
	_, ok := t.find(key)
	return ok
}

// TestMemoryFollowsTheBudget: many players fit into one process.
func TestMemoryFollowsTheBudget(t *testing.T) {
	for budget, most := range map[int]int{110: 4 << 10, 4000: 64 << 10, 1000000: 4 << 20} {
		var table table
		table.prepare(budget)
		if size := len(table.slots) * 16; size > most {
			t.Errorf("the table for %d positions takes %d bytes, want at most %d", budget, size, most)
		}
	}
}

// TestClockEndsThought: with no time left only the first look is taken; with time enough the budget decides, and the
// move is the one without a clock; several threads agree on a sound move.
func TestClockEndsThought(t *testing.T) {
	w := shipped(t, 600)
	w.Search.DuelDepth, w.Search.CrowdDepth = 24, 24
	var free, timed, team Player
	for _, view := range corpus(t, shipped(t, 60), 151) {
		want := decide(t, &free, view, w)
		got, err := timed.MoveUntil(view, w, time.Now().Add(time.Hour))
		if err != nil || got != want {
			t.Fatalf("with time enough %+v (%v), without a clock %+v", got, err, want)
		}
		hasty, err := timed.MoveUntil(view, w, time.Now().Add(-time.Hour))
		if err != nil || hasty.Scored > alarmEvery+4*(1+3*w.Search.ReplySnakes) {
			t.Fatalf("with no time left %+v, %v", hasty, err)
		}
		several := *w
		several.Search.Threads = 3
		if got, err = team.MoveUntil(view, &several, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		var moves [4]board.Move
		me, _ := free.place(view)
		legal := false
		for _, m := range moves[:options(&free.state, me, &moves)] {
			legal = legal || m == got.Move
		}
		if !legal {
			t.Fatalf("three threads play %s", board.Words[got.Move])
		}
	}
}
