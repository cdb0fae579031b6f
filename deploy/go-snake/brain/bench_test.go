package brain

import (
	"runtime"
	"slices"
	"syscall"
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

// benchmarkLeaf times the evaluation alone, by the processor's time, on a dozen positions of duels.
func benchmarkLeaf(b *testing.B, eval string) {
	w, learned := mustRead(b, "../config.yaml"), learnedOf(b, eval)
	views := midgame(b, "standard", 2, 2)
	var evaluators [12]evaluator
	var players [12]Player
	for k := range players {
		me, err := players[k].place(views[k*len(views)/len(players)])
		if err != nil {
			b.Fatal(err)
		}
		evaluators[k].prepare(&players[k].state, me, w, learned)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ResetTimer()
	before := threadTime(b)
	for i := range b.N {
		evaluators[i%len(players)].score(&players[i%len(players)].state)
	}
	b.ReportMetric(float64((threadTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/leaf")
}

// threadTime is the processor time that this thread has used.
func threadTime(tb testing.TB) time.Duration {
	const thisThread = 1 // RUSAGE_THREAD
	var usage syscall.Rusage
	if err := syscall.Getrusage(thisThread, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkLeafOwn(b *testing.B)     { benchmarkLeaf(b, "") }
func BenchmarkLeafLearned(b *testing.B) { benchmarkLeaf(b, "../leaf.eval") }
