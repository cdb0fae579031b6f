package brain

import (
	"testing"

	"ouroboros-arena/board"
)

// TestFloodsAgree holds the narrow flood to the wide one, on positions of real games of every kind.
func TestFloodsAgree(t *testing.T) {
	w := mustRead(t, "../config.yaml")
	compared := 0
	for _, kind := range []struct {
		rules  string
		snakes int
	}{{"standard", 2}, {"standard", 4}, {"royale", 3}, {"wrapped", 4}, {"constrictor", 3}, {"solo", 1}} {
		for _, view := range midgame(t, kind.rules, kind.snakes, 2) {
			var p Player
			me, err := p.place(view)
			if err != nil {
				t.Fatal(err)
			}
			e := &p.thinker.eval
			e.prepare(&p.state, me, w, nil)
			for k := range 4 {
				vacate := k&1 == 0
				w.Space.TailsGrow = k&2 == 0
				e.ground.prepare(&p.state, w)
				var other ground
				other.prepare(&p.state, w)
				other.wide.prepare(&p.state)
				other.small = false
				e.ground.fill(&p.state, e.foods, vacate)
				other.fill(&p.state, e.foods, vacate)
				compareGround(t, &p.state, &e.ground, &other)
				compared++
			}
		}
	}
	if compared < 1000 {
		t.Fatalf("only %d positions were compared", compared)
	}
}

func compareGround(t *testing.T, s *board.State, a, b *ground) {
	t.Helper()
	if a.disputed != b.disputed {
		t.Fatalf("contested cells: narrow %v, wide %v", a.disputed, b.disputed)
	}
	for i := range s.Snakes {
		if a.rooms[i] != b.rooms[i] || a.foods[i] != b.foods[i] || a.foodSteps[i] != b.foodSteps[i] ||
			a.tailSteps[i] != b.tailSteps[i] || (a.foodSteps[i] < farAway && a.foodCell[i] != b.foodCell[i]) {
			t.Fatalf("snake %d: narrow %v food %d at %d (%d) tail %d, wide %v food %d at %d (%d) tail %d", i, a.rooms[i],
				a.foods[i], a.foodSteps[i], a.foodCell[i], a.tailSteps[i], b.rooms[i], b.foods[i], b.foodSteps[i],
				b.foodCell[i], b.tailSteps[i])
		}
		if !s.Snakes[i].Alive {
			continue
		}
		if a.corridors[i] != b.corridors[i] || a.footing[i] != b.footing[i] || a.sealed[i] != b.sealed[i] {
			t.Fatalf("snake %d: narrow %d corridors, footing %v, sealed %v, wide %d, %v, %v", i, a.corridors[i],
				a.footing[i], a.sealed[i], b.corridors[i], b.footing[i], b.sealed[i])
		}
	}
}
