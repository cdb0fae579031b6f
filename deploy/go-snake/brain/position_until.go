package brain

import (
	"sync/atomic"
	"time"

	"ouroboros-arena/board"
	"ouroboros-snake/weights"
)

// ChooseUntil is Choose, but stops thinking at the given time as well, whatever is left of the budget.
func (t *Thinker) ChooseUntil(s *board.State, me int, w *weights.Weights, until time.Time) Decision {
	t.own.prepare(budgetOf(s, w))
	return t.deepen(s, me, w, &t.own, alarm{until: until, stop: new(atomic.Bool)}, 1)
}
