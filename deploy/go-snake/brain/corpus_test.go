package brain

import (
	"math/rand/v2"
	"slices"
	"testing"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
	"ouroboros-snake/weights"
)

// corpus is a set of positions of every kind of game, from games in which every tenth move is random, so that snakes get
// into trouble; half the positions get other healths. step thins it: every step-th position is taken.
func corpus(tb testing.TB, w *weights.Weights, step int) []*api.Request {
	tb.Helper()
	var views []*api.Request
	seen := 0
	rng := rand.New(rand.NewPCG(1, 1))
	for k, kind := range []struct {
		rules                string
		w, h, snakes, damage int
	}{
		{"standard", 11, 11, 2, 14}, {"standard", 11, 11, 4, 14}, {"standard", 7, 7, 3, 14}, {"standard", 19, 19, 8, 14},
		{"standard", 7, 7, 2, 14}, {"standard", 7, 7, 2, 14}, {"standard", 7, 7, 4, 14}, {"standard", 7, 7, 4, 14},
		{"solo", 7, 7, 1, 14}, {"royale", 11, 11, 2, 14}, {"royale", 11, 11, 4, 14}, {"royale", 11, 11, 2, -20},
		{"royale", 11, 11, 4, -20}, {"royale", 9, 12, 3, 5}, {"wrapped", 11, 11, 4, 14}, {"constrictor", 11, 11, 2, 14}, {"constrictor", 11, 11, 4, 14},
	} {
		game := newArena(kind.rules, kind.w, kind.h, kind.snakes, uint64(k))
		game.req.Game.Ruleset.Settings.HazardDamagePerTurn = kind.damage
		game.req.Game.Ruleset.Settings.ShrinkEveryNTurns = 10
		game.play(erring(game, w, uint64(k)), 300, func(req *api.Request) {
			if seen++; seen%step == 0 {
				views = append(views, req)
				if seen%(2*step) == 0 {
					views[len(views)-1] = weakened(req, rng)
				}
			}
		})
	}
	return views
}

// shipped are the shipped weights on a budget of so many positions, without the clock: what is deployed thinks far longer
// than a test may.
func shipped(tb testing.TB, budget int) *weights.Weights {
	w := mustRead(tb, "../config.yaml")
	w.Search.DuelBudget, w.Search.CrowdBudget = budget, budget
	return w
}

// weakened is the same position with other healths.
func weakened(req *api.Request, rng *rand.Rand) *api.Request {
	other := *req
	other.Board.Snakes = slices.Clone(req.Board.Snakes)
	for i := range other.Board.Snakes {
		other.Board.Snakes[i].Health = 1 + rng.IntN(100)
	}
	return &other
}

// erring gives every snake of the game a brain that errs on every tenth move.
func erring(game *arena, w *weights.Weights, seed uint64) map[string]chooser {
	rng := rand.New(rand.NewPCG(seed, 10))
	think := brained(w)()
	players := map[string]chooser{}
	for _, id := range game.order {
		players[id] = func(req *api.Request) board.Move {
			if rng.IntN(10) == 0 {
				return anyLegal(req, rng)
			}
			return think(req)
		}
	}
	return players
}

// anyLegal is a random move that no wall and no body forbids, if there is one.
func anyLegal(req *api.Request, rng *rand.Rand) board.Move {
	var p Player
	me, err := p.place(req)
	if err != nil {
		panic(err)
	}
	var moves [4]board.Move
	n := options(&p.state, me, &moves)
	return moves[rng.IntN(n)]
}

func decide(tb testing.TB, p *Player, req *api.Request, w *weights.Weights) Decision {
	tb.Helper()
	d, err := p.Move(req, w)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// midgame collects positions of self-play games from turn 30 on, with every living snake's view.
func midgame(tb testing.TB, ruleset string, snakes, games int) []*api.Request {
	tb.Helper()
	var views []*api.Request
	play := brained(shipped(tb, 60))
	for seed := range games {
		game := newArena(ruleset, 11, 11, snakes, uint64(seed)+1000)
		players := map[string]chooser{}
		for _, id := range game.order {
			players[id] = play()
		}
		game.play(players, 400, func(req *api.Request) {
			if req.Turn >= 30 && len(req.Board.Snakes) >= min(snakes, 3) {
				views = append(views, req)
			}
		})
	}
	return views
}
