package brain

import (
	"math/rand/v2"
	"testing"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
	"ouroboros-snake/weights"
)

// swapped are poor weights: ground and food change places. Food is worth what ground was for the whole board, and
// ground what food was; the room a snake lacks and its hunger likewise.
func swapped(good *weights.Weights) *weights.Weights {
	w := *good
	w.Space.AreaDuel, w.Length.BehindDuel, w.Length.AheadDuel = w.Length.BehindDuel, w.Food.Territory, w.Food.Territory
	w.Space.AreaCrowd, w.Length.BehindCrowd, w.Length.AheadCrowd = w.Length.BehindCrowd, w.Food.Territory, w.Food.Territory
	w.Space.RoomShortage, w.Food.Hunger = w.Food.Hunger, w.Space.RoomShortage
	w.Space.NoExit, w.Food.Starvation = w.Food.Starvation, w.Space.NoExit
	return &w
}

// wanderer plays random legal moves.
func wanderer() chooser {
	return func(req *api.Request) board.Move {
		return anyLegal(req, rand.New(rand.NewPCG(uint64(req.Turn), uint64(req.You.ID[0]))))
	}
}

// TestDefaultsAreGood: the shipped weights must beat a wanderer nearly always and poor weights clearly. The seeds are
// fixed, so the result is the same at every run; the bounds lie far below what was measured over many more games.
func TestDefaultsAreGood(t *testing.T) {
	good := shipped(t, 110)
	for _, c := range []struct {
		name   string
		rival  func() chooser
		snakes int
		seeds  int
		least  float64
	}{
		{"wanderer", wanderer, 2, 10, 0.95},
		{"wanderers", wanderer, 4, 5, 0.85},
		{"food and space swapped", brained(swapped(good)), 2, 20, 0.5},
	} {
		if result := match("standard", c.snakes, 1, c.seeds, brained(good), c.rival); result.score() < c.least {
			t.Errorf("against %s: %v, want at least %.2f", c.name, result, c.least)
		} else {
			t.Logf("against %s: %v", c.name, result)
		}
	}
}
