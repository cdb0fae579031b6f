package brain

import (
	"strings"
	"testing"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
)

// draw makes a request from a picture, top row first: A is my head, a1 a2 ... would be too long, so a body is drawn by
// letters in order from the neck: head A, then b c d ...; an opponent's head is M, its body n o p ...; * is food, # hazard.
func draw(t *testing.T, rules string, health int, rows ...string) *api.Request {
	t.Helper()
	req := &api.Request{Turn: 50, You: api.Snake{ID: "me"}}
	req.Game.Ruleset = api.Ruleset{Name: rules, Settings: api.Settings{HazardDamagePerTurn: 14}}
	req.Board.Height, req.Board.Width = len(rows), len(strings.Fields(rows[0]))
	at := map[string]api.Point{}
	for r, row := range rows {
		for x, mark := range strings.Fields(row) {
			p := api.Point{X: x, Y: len(rows) - 1 - r}
			switch mark {
			case "*":
				req.Board.Food = append(req.Board.Food, p)
			case "#":
				req.Board.Hazards = append(req.Board.Hazards, p)
			default:
				at[mark] = p
			}
		}
	}
	me := api.Snake{ID: "me", Health: health, Body: chainOf(at, "A", "bcdefghijkl")}
	req.Board.Snakes = append(req.Board.Snakes, me)
	if _, ok := at["M"]; ok {
		req.Board.Snakes = append(req.Board.Snakes, api.Snake{ID: "him", Health: 90,
			Body: chainOf(at, "M", "nopqrstuvwxyz")})
	}
	return req
}

func chainOf(at map[string]api.Point, head, rest string) []api.Point {
	list := []api.Point{at[head]}
	for _, letter := range rest {
		if p, ok := at[string(letter)]; ok {
			list = append(list, p)
		}
	}
	for len(list) < 3 {
		list = append(list, list[len(list)-1])
	}
	return list
}

func TestTactics(t *testing.T) {
	for _, c := range []struct {
		name, rules string
		health      int
		good        string // the moves that are right
		rows        []string
	}{
		{"eats when starving", "standard", 2, "left", []string{
			". . . . . . .",
			". . . . . . .",
			". * A b c . .",
			". . . . . . .",
			". M n o . . .",
			". . . . . . .",
			". . . . . . ."}},
		{"starves rather late than never eats", "standard", 3, "up", []string{
			". . . . . . .",
			". . * . . . .",
			". . . . . . .",
			". . A b c . .",
			". . . . . . .",
			". . . M n o .",
			". . . . . . ."}},
		{"does not enter a pocket smaller than itself", "standard", 90, "left", []string{
			". . . . . . .",
			". . . . . . .",
			". . h g f e .",
			". . . A c d .",
			"o n M b . . .",
			"p . . . . . .",
			". . . . . . ."}},
		{"avoids an equal head", "standard", 90, "down left up", []string{
			". . . . . . .",
			". . . . . . .",
			". . . . . . .",
			"c b A . M n o",
			". . . . . . .",
			". . . . . . .",
			". . . . . . ."}},
		{"takes the win head to head", "standard", 90, "left", []string{
			"M n o p . . .",
			". A b c . . .",
			". f e d . . .",
			". . . . . . .",
			". . . . . . .",
			". . . . . . .",
			". . . . . . ."}},
		{"follows its tail out", "standard", 90, "up", []string{
			"e d . . . . .",
			"A c . . . . .",
			"b q p o . . .",
			"* . . n . . .",
			". . . M . . .",
			". . . . . . .",
			". . . . . . ."}},
		{"leaves a hazard", "royale", 20, "right", []string{
			"# # # # # # #",
			"# . . . . . .",
			"# . . . . . .",
			"A . . . . . .",
			"b . . . M . .",
			"c . . . n . .",
			"d . . . o . ."}},
		{"goes through the edge where it wraps", "wrapped", 90, "left", []string{
			". . . . . . .",
			". . . . . . .",
			"d c . . . . .",
			"A b . . . . .",
			"f e . . M n .",
			"g . . . . o .",
			". . . . . . ."}},
		{"knows that tails stay in constrictor", "constrictor", 100, "down", []string{
			". . . . . . .",
			". . . c . . .",
			". . d b . . .",
			". . e A n o .",
			". . . . M . .",
			". . . . . . .",
			". . . . . . ."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := draw(t, c.rules, c.health, c.rows...)
			var player Player
			d := decide(t, &player, req, shipped(t, 150))
			if !strings.Contains(c.good, board.Words[d.Move]) {
				t.Errorf("plays %s (value %.1f, depth %d), right is %s", board.Words[d.Move], d.Value, d.Depth, c.good)
			}
		})
	}
}

// TestMovesAreLegalAndRepeatable checks over the corpus that a move off the board or into a body is only played when
// there is no other, that the move does not depend on what was asked before, and that the position is left as it was.
func TestMovesAreLegalAndRepeatable(t *testing.T) {
	w := shipped(t, 150)
	views := corpus(t, shipped(t, 60), 6)
	var veteran Player
	var first []board.Move
	for _, view := range views {
		d := decide(t, &veteran, view, w)
		first = append(first, d.Move)
		var moves [4]board.Move
		me, _ := veteran.place(view)
		n := options(&veteran.state, me, &moves)
		legal := false
		for _, m := range moves[:n] {
			legal = legal || m == d.Move
		}
		if !legal {
			t.Fatalf("plays %s, legal are %v: %+v", board.Words[d.Move], moves[:n], view)
		}
	}
	for i := len(views) - 1; i >= 0; i-- {
		if again := decide(t, &veteran, views[i], w).Move; again != first[i] {
			t.Fatalf("position %d: %s at first, %s later", i, board.Words[first[i]], board.Words[again])
		}
	}
	if len(views) < 300 {
		t.Fatalf("only %d positions", len(views))
	}
}

func TestSearchAllocatesNothing(t *testing.T) {
	w := shipped(t, 150)
	views := midgame(t, "standard", 4, 1)
	var player Player
	for _, view := range views {
		decide(t, &player, view, w)
	}
	if n := testing.AllocsPerRun(10, func() { decide(t, &player, views[len(views)/2], w) }); n != 0 {
		t.Errorf("%v allocations a move", n)
	}
}

// TestBudgetHolds: the number of positions scored is what bounds the time of a move, so it must hold.
func TestBudgetHolds(t *testing.T) {
	w := shipped(t, 150)
	var player Player
	for _, view := range corpus(t, shipped(t, 60), 9) {
		limit := w.Search.DuelBudget + 4*(1+3*w.Search.ReplySnakes) // the first look is whole
		if d := decide(t, &player, view, w); d.Scored > limit {
			t.Fatalf("%d positions scored, the budget is %d", d.Scored, w.Search.DuelBudget)
		}
	}
}

func TestNoPosition(t *testing.T) {
	w := shipped(t, 150)
	good := draw(t, "standard", 90, ". . .", "A b c", ". . .")
	for name, spoil := range map[string]func(r *api.Request){
		"no board":    func(r *api.Request) { r.Board.Width = 0 },
		"huge board":  func(r *api.Request) { r.Board.Width, r.Board.Height = 1<<30, 1<<30 },
		"not there":   func(r *api.Request) { r.You.ID = "other" },
		"no body":     func(r *api.Request) { r.Board.Snakes[0].Body = nil },
		"off board":   func(r *api.Request) { r.Board.Snakes[0].Body = []api.Point{{X: -1, Y: 0}} },
		"many snakes": func(r *api.Request) { r.Board.Snakes = make([]api.Snake, 100) },
	} {
		req := *good
		req.Board.Snakes = append([]api.Snake(nil), good.Board.Snakes...)
		spoil(&req)
		if _, err := new(Player).Move(&req, w); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	off := *good // food and hazards off the board are ignored: some maps keep hazards there
	off.Board.Food, off.Board.Hazards = []api.Point{{X: 5, Y: 5}}, []api.Point{{X: 0, Y: 3}}
	if _, err := new(Player).Move(&off, w); err != nil {
		t.Error(err)
	}
}
