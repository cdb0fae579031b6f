package brain

import (
	"math"

	"ouroboros-arena/board"
	"ouroboros-snake/weights"
)

// fillTables computes the powers that the food terms look up for every position.
func (e *evaluator) fillTables(w *weights.Weights) {
	near := 1.0
	for d := range e.decay {
		e.decay[d] = near
		near *= w.Food.Decay
	}
	for health := range e.hunger {
		e.hunger[health] = 0
		if limit := w.Food.HungerHealth; health < limit {
			e.hunger[health] = w.Food.Hunger * math.Pow(float64(limit-health)/float64(limit), w.Food.HungerCurve)
		}
	}
}

// food is the value of length already won, of food within reach, and the cost of hunger. Food one step away is worth
// less than food eaten, since Pull and Decay are below 1: the snake does not hover before its meal.
func (e *evaluator) food(s *board.State, rivals int) float64 {
	w, me := &e.w.Food, &s.Snakes[e.me]
	near := e.nearness(s)
	v := e.growth(s, rivals, near) - e.hunger[min(max(me.Health, 0), board.MaxHealth)]*(1-near)
	v += w.Territory * float64(e.ground.foods[e.me])
	if e.starves(s) {
		v -= w.Starvation
	}
	for i := range s.Snakes {
		if i != e.me && s.Snakes[i].Alive && e.ground.foods[i] == 0 {
			v += w.Denial * float64(board.MaxHealth-s.Snakes[i].Health) / board.MaxHealth / float64(rivals)
		}
	}
	return v
}

// nearness falls from 1 with the distance of the food I reach first; of food others reach first a share counts.
func (e *evaluator) nearness(s *board.State) float64 {
	if d := e.ground.foodSteps[e.me]; d < farAway {
		return e.decay[min(d, len(e.decay)-1)] * e.foodCellWorth(s, e.ground.foodCell[e.me])
	}
	best, head := 0.0, s.Snakes[e.me].Head
	for _, c := range e.foods {
		if s.Food[c] {
			d := s.Geo.Distance(head, c)
			best = max(best, e.decay[min(d, len(e.decay)-1)]*e.foodCellWorth(s, c))
		}
	}
	return best * e.w.Food.Contested
}

// rivalsNearness falls from 1 with the distance of the food that an opponent reaches first; the nearest such counts.
func (e *evaluator) rivalsNearness(s *board.State) float64 {
	nearest := farAway
	for i := range s.Snakes {
		if i != e.me && s.Snakes[i].Alive {
			nearest = min(nearest, e.ground.foodSteps[i])
		}
	}
	if nearest == farAway {
		return 0
	}
	return e.decay[min(nearest, len(e.decay)-1)]
}

// foodCellWorth is below 1 for food on the edge and food in hazards.
func (e *evaluator) foodCellWorth(s *board.State, c int16) float64 {
	v := 1.0
	if s.Geo.Sides[c] > 0 {
		v = 1 - e.w.Food.EdgeDiscount
	}
	if s.Hazard[c] > 0 && s.HazardDamage > 0 {
		v *= e.w.Hazard.Food
	}
	return v
}

// growth is the value of my lead in length, plus a share of the next piece's value by its nearness.
func (e *evaluator) growth(s *board.State, rivals int, near float64) float64 {
	if e.solo {
		return e.w.Food.SoloGrowth * (float64(s.Snakes[e.me].Length) + e.w.Food.Pull*near)
	}
	w := &e.w.Length
	behind, ahead := w.BehindDuel, w.AheadDuel
	if rivals > 1 {
		behind, ahead = w.BehindCrowd, w.AheadCrowd
	}
	lead, target := e.lead(s), float64(w.TargetLead)
	v, slope := behind*lead, behind
	if lead >= target {
		v, slope = behind*target+ahead*(lead-target), ahead
	}
	near = e.w.Food.Pull*near - e.w.Food.RivalPull*e.rivalsNearness(s)
	return (v + slope*near) * between(e.w.Phase.GrowthEarly, e.w.Phase.GrowthLate, e.late)
}

// starves reports whether no food at all can be reached on the health that is left.
func (e *evaluator) starves(s *board.State) bool {
	me := &s.Snakes[e.me]
	if d := e.ground.foodSteps[e.me]; d <= int(me.Health) {
		return false
	}
	for _, c := range e.foods {
		if s.Food[c] && s.Geo.Distance(me.Head, c) <= int(me.Health) {
			return false
		}
	}
	return me.Health < board.MaxHealth/2
}

// hazard is the cost of standing in hazards beyond the health they took, and the use of healing ones.
func (e *evaluator) hazard(s *board.State) float64 {
	w, me := &e.w.Hazard, &s.Snakes[e.me]
	layers := float64(s.Hazard[me.Head])
	if layers == 0 {
		return 0
	}
	bite := layers * float64(s.HazardDamage) / board.MaxHealth
	hurt := 1 - float64(me.Health)/board.MaxHealth
	if bite < 0 {
		return -bite * hurt * w.Healing
	}
	return -bite * (w.Inside + w.LowHealth*hurt*hurt)
}
