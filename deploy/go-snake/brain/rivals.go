package brain

import "ouroboros-arena/board"

// traps rewards opponents that lack room or exits.
func (e *evaluator) traps(s *board.State, rivals int) float64 {
	w, v := &e.w.Trap, 0.0
	me := &s.Snakes[e.me]
	lackValue := w.DuelShortage
	if rivals > 1 {
		lackValue = w.CrowdShortage
	}
	for i := range s.Snakes {
		him := &s.Snakes[i]
		if i == e.me || !him.Alive || (w.OnlyLonger && him.Length >= me.Length) {
			continue
		}
		if lack := e.shortage(s, i); lack > 0 {
			if e.reachesTail(s, i) {
				lack *= 1 - e.w.Space.TailRelief
			}
			v += lackValue * lack
		}
		switch openSteps(s, i) {
		case 0:
			v += w.NoExit
		case 1:
			v += w.OneExit
		}
		if e.pins(s, him) {
			v += w.EdgePin
		}
	}
	return v
}

// pins reports whether my head stands beside or ahead of an opponent that runs along the edge, one cell further in.
func (e *evaluator) pins(s *board.State, him *board.Snake) bool {
	g, mine := s.Geo, s.Snakes[e.me].Head
	return g.Sides[him.Head] > 0 && g.Sides[mine] == 0 && g.Distance(him.Head, mine) <= 2
}

// heads values nearness to heads: to be feared while they are at least as long, to be sought while clearly shorter.
func (e *evaluator) heads(s *board.State, rivals int) float64 {
	w, me, v := &e.w.Heads, &s.Snakes[e.me], 0.0
	fear, hunt := w.FearDuel, w.HuntDuel
	if rivals > 1 {
		fear, hunt = w.FearCrowd, w.HuntCrowd
	}
	for i := range s.Snakes {
		him := &s.Snakes[i]
		if i == e.me || !him.Alive {
			continue
		}
		d := s.Geo.Distance(me.Head, him.Head)
		if d > w.Radius {
			continue
		}
		near := float64(w.Radius-d+1) / float64(w.Radius)
		if him.Length >= me.Length {
			v -= fear * near
		} else if int(me.Length-him.Length) >= w.HuntMargin {
			v += hunt * near
		}
	}
	return v
}

// lead is my length less the longest living opponent's.
func (e *evaluator) lead(s *board.State) float64 {
	longest := int32(0)
	for i := range s.Snakes {
		if i != e.me && s.Snakes[i].Alive {
			longest = max(longest, s.Snakes[i].Length)
		}
	}
	return float64(s.Snakes[e.me].Length - longest)
}
