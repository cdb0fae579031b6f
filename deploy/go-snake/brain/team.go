package brain

import (
	"sync"
	"sync/atomic"
	"time"

	"ouroboros-snake/api"
	"ouroboros-snake/weights"
)

// MoveUntil is Move, but stops thinking at the given time as well, and thinks with as many threads as the weights say.
// The threads share one table: each finds there what the others have looked at, and those that look one turn further from
// the start bring the good moves to the front for the rest ("lazy SMP"). With a clock or several threads, two answers to
// one request may differ.
func (p *Player) MoveUntil(req *api.Request, w *weights.Weights, until time.Time) (Decision, error) {
	me, err := p.place(req)
	if err != nil {
		return Decision{}, err
	}
	var stop atomic.Bool
	ring := alarm{until: until, stop: &stop}
	memory := &p.thinker.own
	memory.prepare(budgetOf(&p.state, w))
	var all sync.WaitGroup
	for k := range w.Search.Threads - 1 {
		helper := p.helper(k)
		all.Add(1)
		go func() {
			defer all.Done()
			if me, err := helper.place(req); err == nil {
				helper.thinker.deepen(&helper.state, me, w, memory, ring, 1+(k+1)%2)
			}
		}()
	}
	decision := p.thinker.deepen(&p.state, me, w, memory, ring, 1)
	stop.Store(true)
	all.Wait()
	return decision, nil
}

// helper is the player that thread k beside this one uses.
func (p *Player) helper(k int) *Player {
	for len(p.helpers) <= k {
		p.helpers = append(p.helpers, &Player{Learned: p.Learned})
	}
	return p.helpers[k]
}
