package brain

import (
	"math"

	"ouroboros-arena/board"
)

// options lists the moves of snake i that no wall and no body forbids, as far as the present bodies tell. A snake
// without any gets one move onto a body (whose owner may yet starve this turn) or, failing that, off the board, so
// that the list is never empty.
func options(s *board.State, i int, into *[4]board.Move) int {
	n, last := 0, board.Up
	for m, c := range s.Geo.Next[s.Snakes[i].Head] {
		if c == board.Wall {
			continue
		}
		last = board.Move(m)
		if s.Enterable(c) {
			into[n] = last
			n++
		}
	}
	if n == 0 {
		into[0] = last
		n = 1
	}
	return n
}

// predict is the move that snake i most likely plays next: a quick look at exits, food, longer and shorter heads.
func (e *evaluator) predict(s *board.State, i int) board.Move {
	var moves [4]board.Move
	n := options(s, i, &moves)
	best, bestValue := moves[0], math.Inf(-1)
	if n == 1 {
		return best
	}
	for _, m := range moves[:n] {
		if v := e.appeal(s, i, m); v > bestValue {
			best, bestValue = m, v
		}
	}
	return best
}

// appeal is how attractive move m looks to snake i.
func (e *evaluator) appeal(s *board.State, i int, m board.Move) float64 {
	w, sn := &e.w.Predict, &s.Snakes[i]
	to := s.Geo.Next[sn.Head][m]
	v := 0.0
	for k, c := range s.Geo.Next[to] {
		if c == board.Wall {
			continue
		}
		if s.FreeAt(c) <= s.Turn+2 {
			v += w.Exits
			if board.Move(k) == m {
				v += w.Straight
			}
		}
	}
	for j := range s.Snakes {
		him := &s.Snakes[j]
		if j == i || !him.Alive || s.Geo.Distance(to, him.Head) != 1 {
			continue
		}
		if him.Length >= sn.Length {
			v -= w.Fear
		} else {
			v += w.Attack
		}
	}
	if nearest := e.nearestFood(s, to); nearest < farAway && !s.Constrictor {
		v += w.Food * e.decay[min(nearest, len(e.decay)-1)]
	}
	return v
}

func (e *evaluator) nearestFood(s *board.State, from int16) int {
	nearest := farAway
	for _, c := range e.foods {
		if s.Food[c] {
			nearest = min(nearest, s.Geo.Distance(from, c))
		}
	}
	return nearest
}
