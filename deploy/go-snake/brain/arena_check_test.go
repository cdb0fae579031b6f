package brain

import (
	"math/rand/v2"
	"testing"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
)

// TestArenaAgreesWithBoard plays random games and holds every turn of the arena to package board, which for its part is
// held to the official engine's records.
func TestArenaAgreesWithBoard(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	turns := 0
	for _, rules := range []string{"standard", "royale", "wrapped", "constrictor"} {
		for seed := range 15 {
			game := newArena(rules, 11, 7+2*(seed%3), 4, uint64(seed))
			game.req.Game.Ruleset.Settings.ShrinkEveryNTurns = 5
			for len(game.living()) > 1 {
				checkTurn(t, game, rng)
				game.spawn()
				turns++
			}
		}
	}
	if turns < 500 {
		t.Fatalf("only %d turns were played", turns)
	}
}

func checkTurn(t *testing.T, game *arena, rng *rand.Rand) {
	t.Helper()
	living := game.living()
	var p Player
	if _, err := p.place(game.view(living[0])); err != nil {
		t.Fatal(err)
	}
	words := map[string]board.Move{}
	var moves [board.MaxSnakes]board.Move
	for i, id := range living {
		moves[i] = anyLegal(game.view(id), rng)
		words[id] = moves[i]
	}
	var undo board.Undo
	p.state.Step(&moves, &undo)
	game.turn(words)
	for i, id := range living {
		f, sn := game.bodies[id], &p.state.Snakes[i]
		if sn.Alive != (f.cause == "") {
			t.Fatalf("turn %d: board has %s alive %v, arena %q", game.req.Turn, id, sn.Alive, f.cause)
		}
		if !sn.Alive {
			continue
		}
		head, tail := f.body[0], f.body[len(f.body)-1]
		if int(sn.Health) != f.health || int(sn.Length) != len(f.body) || sn.Head != cellOf(&p, head) ||
			p.state.Tail(i) != cellOf(&p, tail) {
			t.Fatalf("turn %d: board has %s as %+v, arena as %+v", game.req.Turn, id, *sn, *f)
		}
	}
	food := 0
	for _, f := range p.state.Food {
		if f {
			food++
		}
	}
	if !p.state.Constrictor && food != len(game.req.Board.Food) {
		t.Fatalf("turn %d: board has %d pieces of food, arena %d", game.req.Turn, food, len(game.req.Board.Food))
	}
}

func cellOf(p *Player, at api.Point) int16 { return int16(p.state.Geo.Cell(at.X, at.Y)) }
