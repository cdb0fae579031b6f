package brain

import (
	"slices"
	"testing"
	"time"
)

// tries is how often each decision is timed: the least time of them is the decision's own, without what else the machine
// did meanwhile.
const tries = 5

// benchmarkMove times whole decisions on positions of self-play games from turn 30 on.
func benchmarkMove(b *testing.B, snakes int) {
	views := midgame(b, "standard", snakes, 10)
	w := mustRead(b, "../config.yaml")
	player := new(Player)
	taken := make([]time.Duration, 0, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		least := time.Hour
		for range tries {
			began := time.Now()
			decide(b, player, views[i%len(views)], w)
			least = min(least, time.Since(began))
		}
		taken = append(taken, least)
	}
	b.StopTimer()
	slices.Sort(taken)
	sum := time.Duration(0)
	for _, t := range taken {
		sum += t
	}
	b.ReportMetric(float64(sum.Nanoseconds())/float64(b.N), "mean-ns/move")
	b.ReportMetric(float64(taken[len(taken)*99/100].Nanoseconds()), "p99-ns/move")
	b.ReportMetric(float64(taken[len(taken)-1].Nanoseconds()), "max-ns/move")
}

func BenchmarkMoveDuel(b *testing.B)  { benchmarkMove(b, 2) }
func BenchmarkMoveCrowd(b *testing.B) { benchmarkMove(b, 4) }
