// Times the whole turn loop of the official engine, as its CLI plays it but without HTTP: the map's pre-update, random
// legal moves, the rules' pipeline, the map's post-update. Prints "turns seconds games".
package main

import (
	"flag"
	"fmt"
	"math/rand"
	"strconv"
	"time"

	"github.com/BattlesnakeOfficial/rules"
	"github.com/BattlesnakeOfficial/rules/maps"
)

type table struct {
	board    *rules.BoardState
	settings rules.Settings
	ruleset  rules.Ruleset
	gameMap  maps.GameMap
}

// fail ends the program: a benchmark that goes on after an error times nothing.
func fail(err error) {
	if err != nil {
		panic(err)
	}
}

func newTable(name string, side, snakes int, seed int64) table {
	params := map[string]string{
		rules.ParamFoodSpawnChance:     "15",
		rules.ParamMinimumFood:         "1",
		rules.ParamHazardDamagePerTurn: "14",
		rules.ParamShrinkEveryNTurns:   "25",
	}
	ids := make([]string, snakes)
	for i := range ids {
		ids[i] = "s" + strconv.Itoa(i)
	}
	ruleset := rules.NewRulesetBuilder().WithParams(params).WithSeed(seed).NamedRuleset(name)
	gameMap, err := maps.GetMap("standard")
	fail(err)
	board, err := maps.SetupBoard("standard", ruleset.Settings(), side, side, ids)
	fail(err)
	_, board, err = ruleset.Execute(board, nil)
	fail(err)
	return table{board, ruleset.Settings(), ruleset, gameMap}
}

var steps = []struct {
	word   string
	dx, dy int
}{{"up", 0, 1}, {"down", 0, -1}, {"left", -1, 0}, {"right", 1, 0}}

// legalMove picks a random move that hits neither the wall nor a body that stays, as our own random player does.
func legalMove(board *rules.BoardState, taken []bool, head rules.Point, rng *rand.Rand) string {
	var open [4]string
	count := 0
	for _, step := range steps {
		x, y := head.X+step.dx, head.Y+step.dy
		if x >= 0 && y >= 0 && x < board.Width && y < board.Height && !taken[y*board.Width+x] {
			open[count] = step.word
			count++
		}
	}
	if count == 0 {
		return "up"
	}
	return open[rng.Intn(count)]
}

func choose(board *rules.BoardState, taken []bool, moves []rules.SnakeMove, rng *rand.Rand) []rules.SnakeMove {
	for i := range taken {
		taken[i] = false
	}
	for _, snake := range board.Snakes {
		if snake.EliminatedCause != "" {
			continue
		}
		last := len(snake.Body) - 1
		for i, cell := range snake.Body {
			if i == last && snake.Body[i-1] != cell {
				continue // an unstacked tail moves away this turn
			}
			taken[cell.Y*board.Width+cell.X] = true
		}
	}
	moves = moves[:0]
	for _, snake := range board.Snakes {
		if snake.EliminatedCause == "" {
			moves = append(moves, rules.SnakeMove{ID: snake.ID, Move: legalMove(board, taken, snake.Body[0], rng)})
		}
	}
	return moves
}

func main() {
	side := flag.Int("side", 11, "board side, cells")
	snakes := flag.Int("snakes", 4, "snakes")
	ruleset := flag.String("ruleset", "standard", "ruleset")
	seconds := flag.Float64("seconds", 3, "how long to play, s")
	states := flag.Bool("states", false, "play one turn of each state on standard input instead, see states.go")
	flag.Parse()
	if *states {
		playStates()
		return
	}
	rng := rand.New(rand.NewSource(1))
	taken := make([]bool, *side**side)
	var moves []rules.SnakeMove
	turns, games := 0, 0
	begun := time.Now()
	for time.Since(begun).Seconds() < *seconds {
		t := newTable(*ruleset, *side, *snakes, int64(games)*7919+1)
		for over := false; !over; {
			var err error
			t.board, err = maps.PreUpdateBoard(t.gameMap, t.board, t.settings)
			fail(err)
			moves = choose(t.board, taken, moves, rng)
			over, t.board, err = t.ruleset.Execute(t.board, moves)
			fail(err)
			t.board, err = maps.PostUpdateBoard(t.gameMap, t.board, t.settings)
			fail(err)
			t.board.Turn++
			if !over {
				turns++
			}
		}
		games++
	}
	fmt.Println(turns, time.Since(begun).Seconds(), games)
}
