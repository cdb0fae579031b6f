package brain

import (
	"slices"
	"testing"
	"time"

	"ouroboros-snake/api"
)

// midgame collects positions of self-play games from turn 30 on, with every living snake's view.
func midgame(tb testing.TB, ruleset string, snakes, games int) []*api.Request {
	tb.Helper()
	var views []*api.Request
	play := brained(mustRead(tb, "../config.yaml"))
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

func benchmarkMove(b *testing.B, snakes int) {
	views := midgame(b, "standard", snakes, 10)
	w := mustRead(b, "../config.yaml")
	player := new(Player)
	taken := make([]time.Duration, 0, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		began := time.Now()
		if _, err := player.Move(views[i%len(views)], w); err != nil {
			b.Fatal(err)
		}
		taken = append(taken, time.Since(began))
	}
	b.StopTimer()
	slices.Sort(taken)
	b.ReportMetric(float64(taken[len(taken)*99/100].Nanoseconds()), "p99-ns")
	b.ReportMetric(float64(taken[len(taken)-1].Nanoseconds()), "max-ns")
}

func BenchmarkMoveDuel(b *testing.B)  { benchmarkMove(b, 2) }
func BenchmarkMoveCrowd(b *testing.B) { benchmarkMove(b, 4) }
