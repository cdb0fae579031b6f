package brain

import (
	"flag"
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
	"ouroboros-snake/leafeval"
	"ouroboros-snake/weights"
)

var (
	matchA     = flag.String("a", "", "TestMatch: YAML file of the one side")
	matchB     = flag.String("b", "", "TestMatch: YAML file of the other side")
	evalA      = flag.String("eval-a", "", "TestMatch: learned evaluation of the one side")
	evalB      = flag.String("eval-b", "", "TestMatch: learned evaluation of the other side")
	matchSeeds = flag.Int("seeds", 100, "TestMatch: seeds; each is played once in every seat")
	matchRules = flag.String("ruleset", "standard", "TestMatch: ruleset")
	matchSize  = flag.Int("snakes", 2, "TestMatch: snakes in each game; side a has one of them")
	matchFirst = flag.Uint64("first", 1, "TestMatch: first seed")
)

// tally counts the games of one side.
type tally struct{ wins, draws, losses, turns int }

func (t tally) games() int { return t.wins + t.draws + t.losses }

// score is the share of points, a draw being half of one.
func (t tally) score() float64 { return (float64(t.wins) + float64(t.draws)/2) / float64(t.games()) }

func (t tally) String() string {
	p := t.score()
	return fmt.Sprintf("%d games: %d won, %d drawn, %d lost, %.1f turns a game; score %.3f +- %.3f", t.games(), t.wins,
		t.draws, t.losses, float64(t.turns)/float64(t.games()), p, 1.96*math.Sqrt(p*(1-p)/float64(t.games())))
}

func brained(w *weights.Weights) func() chooser { return helped(w, nil) }

func helped(w *weights.Weights, learned *leafeval.Evaluation) func() chooser {
	return func() chooser {
		player := &Player{Learned: learned}
		return func(req *api.Request) board.Move {
			d, err := player.Move(req, w)
			if err != nil {
				panic(err)
			}
			return d.Move
		}
	}
}

// match plays every seed once in every seat: one snake of a against the rest of b. It uses all cores.
func match(ruleset string, snakes int, first uint64, seeds int, a, b func() chooser) tally {
	jobs := make(chan uint64)
	var lock sync.Mutex
	var total tally
	var done sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		done.Add(1)
		go func() {
			defer done.Done()
			one, others := a(), b()
			for seed := range jobs {
				for seat := range snakes {
					t := playSeat(ruleset, snakes, seat, seed, one, others)
					lock.Lock()
					total = tally{total.wins + t.wins, total.draws + t.draws, total.losses + t.losses, total.turns + t.turns}
					lock.Unlock()
				}
			}
		}()
	}
	for i := range seeds {
		jobs <- first + uint64(i)
	}
	close(jobs)
	done.Wait()
	return total
}

func playSeat(ruleset string, snakes, seat int, seed uint64, one, others chooser) tally {
	game := newArena(ruleset, 11, 11, snakes, seed)
	players := map[string]chooser{}
	for i, id := range game.order {
		players[id] = others
		if i == seat {
			players[id] = one
		}
	}
	left := game.play(players, 3000, nil)
	t := tally{turns: game.req.Turn}
	switch {
	case len(left) == 1 && left[0] == game.order[seat]:
		t.wins = 1
	case len(left) == 0 || len(left) > 1:
		t.draws = 1
	default:
		t.losses = 1
	}
	return t
}

func mustRead(t testing.TB, file string) *weights.Weights {
	t.Helper()
	w, err := weights.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// learnedOf reads a learned evaluation; "" names none.
func learnedOf(t testing.TB, file string) *leafeval.Evaluation {
	t.Helper()
	if file == "" {
		return nil
	}
	learned, err := leafeval.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return learned
}

// TestMatch plays two weight files against each other:
//
//	go test ./brain -run TestMatch -v -args -a ../config.yaml -b other.yaml -seeds 500 [-eval-a ../leaf.eval]
func TestMatch(t *testing.T) {
	if *matchA == "" || *matchB == "" {
		t.Skip("no -a and -b given: this is a tool for choosing weights")
	}
	a, b := helped(mustRead(t, *matchA), learnedOf(t, *evalA)), helped(mustRead(t, *matchB), learnedOf(t, *evalB))
	t.Log(match(*matchRules, *matchSize, *matchFirst, *matchSeeds, a, b))
}
