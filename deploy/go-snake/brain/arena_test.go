package brain

import (
	"math/rand/v2"
	"slices"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
)

// arena plays whole games by the official rules, written anew on plain slices: slow, simple, and independent of package
// board, so that each is a check on the other.
type arena struct {
	req    api.Request
	bodies map[string]*fighter
	order  []string
	rng    *rand.Rand
	shrink [4]int // columns and rows that royale has taken: left, right, bottom, top
}

type fighter struct {
	body   []api.Point
	health int
	cause  string
}

type chooser func(req *api.Request) board.Move

func newArena(ruleset string, w, h, snakes int, seed uint64) *arena {
	a := &arena{rng: rand.New(rand.NewPCG(seed, 0x5eed)), bodies: map[string]*fighter{}}
	a.req.Game = api.Game{ID: "arena", Ruleset: api.Ruleset{Name: ruleset}, Timeout: 500}
	a.req.Game.Ruleset.Settings = api.Settings{FoodSpawnChance: 15, MinimumFood: 1, HazardDamagePerTurn: 14,
		ShrinkEveryNTurns: 25}
	a.req.Board.Width, a.req.Board.Height = w, h
	corners := [][2]int{{1, 1}, {1, h - 2}, {w - 2, 1}, {w - 2, h - 2}}
	sides := [][2]int{{1, h / 2}, {w / 2, 1}, {w / 2, h - 2}, {w - 2, h / 2}}
	a.rng.Shuffle(4, func(i, j int) { corners[i], corners[j] = corners[j], corners[i] })
	a.rng.Shuffle(4, func(i, j int) { sides[i], sides[j] = sides[j], sides[i] })
	starts := append(corners, sides...)
	if a.rng.IntN(2) == 0 {
		starts = append(slices.Clone(sides), corners...)
	}
	for i := range snakes {
		at := api.Point{X: starts[i][0], Y: starts[i][1]}
		id := string(rune('a' + i))
		a.order = append(a.order, id)
		a.bodies[id] = &fighter{body: []api.Point{at, at, at}, health: 100}
	}
	if ruleset != "constrictor" {
		a.startFood(w, h)
	}
	return a
}

// startFood puts one piece diagonally behind each head, away from the centre, and one in the centre.
func (a *arena) startFood(w, h int) {
	for _, id := range a.order {
		head := a.bodies[id].body[0]
		dx, dy := 1-2*a.rng.IntN(2), 1-2*a.rng.IntN(2)
		at := api.Point{X: head.X + dx, Y: head.Y + dy}
		if !slices.Contains(a.req.Board.Food, at) {
			a.req.Board.Food = append(a.req.Board.Food, at)
		}
	}
	a.req.Board.Food = append(a.req.Board.Food, api.Point{X: w / 2, Y: h / 2})
}

func (a *arena) living() []string {
	var ids []string
	for _, id := range a.order {
		if a.bodies[id].cause == "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// view is the request that the snake id would be sent now.
func (a *arena) view(id string) *api.Request {
	req := a.req
	req.Board.Snakes = nil
	for _, other := range a.living() {
		f := a.bodies[other]
		req.Board.Snakes = append(req.Board.Snakes, api.Snake{ID: other, Name: other, Health: f.health,
			Body: slices.Clone(f.body)})
	}
	req.Board.Food, req.Board.Hazards = slices.Clone(req.Board.Food), slices.Clone(req.Board.Hazards)
	req.You = api.Snake{ID: id}
	return &req
}

var stepOf = [4]api.Point{{X: 0, Y: 1}, {X: 0, Y: -1}, {X: -1, Y: 0}, {X: 1, Y: 0}}

// turn plays one turn with the given moves of the living snakes.
func (a *arena) turn(moves map[string]board.Move) {
	living := a.living()
	b := &a.req.Board
	for _, id := range living {
		f := a.bodies[id]
		head := api.Point{X: f.body[0].X + stepOf[moves[id]].X, Y: f.body[0].Y + stepOf[moves[id]].Y}
		if a.wrapped() {
			head.X, head.Y = (head.X+b.Width)%b.Width, (head.Y+b.Height)%b.Height
		}
		f.body = append([]api.Point{head}, f.body[:len(f.body)-1]...)
		f.health--
		a.burn(f)
	}
	a.eat(living)
	a.judge(living)
	if a.constrictor() {
		a.req.Board.Food = nil
		for _, f := range a.bodies {
			f.health = 100
			if n := len(f.body); f.body[n-1] != f.body[n-2] {
				f.body = append(f.body, f.body[n-1])
			}
		}
	}
	a.req.Turn++
}

func (a *arena) wrapped() bool { return a.req.Game.Ruleset.Name == "wrapped" }

func (a *arena) constrictor() bool { return a.req.Game.Ruleset.Name == "constrictor" }

func (a *arena) burn(f *fighter) {
	for _, z := range a.req.Board.Hazards {
		if z == f.body[0] && !slices.Contains(a.req.Board.Food, z) {
			f.health = min(max(f.health-a.req.Game.Ruleset.Settings.HazardDamagePerTurn, 0), 100)
			if f.health <= 0 {
				f.cause = "hazard"
			}
		}
	}
}

func (a *arena) eat(living []string) {
	var left []api.Point
	for _, food := range a.req.Board.Food {
		eaten := false
		for _, id := range living {
			if f := a.bodies[id]; f.cause == "" && f.body[0] == food {
				f.body, f.health, eaten = append(f.body, f.body[len(f.body)-1]), 100, true
			}
		}
		if !eaten {
			left = append(left, food)
		}
	}
	a.req.Board.Food = left
}

func (a *arena) judge(living []string) {
	b := &a.req.Board
	for _, id := range living {
		f := a.bodies[id]
		if head := f.body[0]; f.cause == "" && f.health <= 0 {
			f.cause = "out-of-health"
		} else if f.cause == "" && (head.X < 0 || head.Y < 0 || head.X >= b.Width || head.Y >= b.Height) {
			f.cause = "wall-collision"
		}
	}
	verdicts := map[string]string{}
	still := a.living()
	for _, id := range still {
		head := a.bodies[id].body[0]
		for _, other := range still {
			f := a.bodies[other]
			switch {
			case slices.Contains(f.body[1:], head):
				verdicts[id] = "collision"
			case other != id && f.body[0] == head && len(f.body) >= len(a.bodies[id].body):
				verdicts[id] = "head-collision"
			}
		}
	}
	for id, cause := range verdicts {
		a.bodies[id].cause = cause
	}
}

// spawn adds food and, in royale, hazards, as the standard and royale maps do.
func (a *arena) spawn() {
	every := a.req.Game.Ruleset.Settings.ShrinkEveryNTurns
	if a.req.Game.Ruleset.Name == "royale" && a.req.Turn%every == 0 {
		a.shrink[a.rng.IntN(4)]++
		a.closeIn()
	}
	lacking := len(a.req.Board.Food) < a.req.Game.Ruleset.Settings.MinimumFood
	if chance := a.req.Game.Ruleset.Settings.FoodSpawnChance - 1; a.constrictor() || (a.rng.IntN(100) >= chance && !lacking) {
		return
	}
	free := a.freeCells()
	if len(free) > 0 {
		a.req.Board.Food = append(a.req.Board.Food, free[a.rng.IntN(len(free))])
	}
}

func (a *arena) closeIn() {
	b := &a.req.Board
	b.Hazards = b.Hazards[:0:0]
	for x := range b.Width {
		for y := range b.Height {
			if x < a.shrink[0] || x >= b.Width-a.shrink[1] || y < a.shrink[2] || y >= b.Height-a.shrink[3] {
				b.Hazards = append(b.Hazards, api.Point{X: x, Y: y})
			}
		}
	}
}

func (a *arena) freeCells() []api.Point {
	taken := map[api.Point]bool{}
	for _, f := range a.req.Board.Food {
		taken[f] = true
	}
	for _, id := range a.living() {
		for _, c := range a.bodies[id].body {
			taken[c] = true
		}
		for _, d := range stepOf {
			head := a.bodies[id].body[0]
			taken[api.Point{X: head.X + d.X, Y: head.Y + d.Y}] = true
		}
	}
	var free []api.Point
	for y := range a.req.Board.Height {
		for x := range a.req.Board.Width {
			if p := (api.Point{X: x, Y: y}); !taken[p] {
				free = append(free, p)
			}
		}
	}
	return free
}

// play runs the game to its end, or to the turn limit, and returns who is left.
func (a *arena) play(players map[string]chooser, limit int, watch func(req *api.Request)) []string {
	enough := 1
	if len(a.order) == 1 {
		enough = 0
	}
	for a.req.Turn < limit {
		living := a.living()
		if len(living) <= enough {
			return living
		}
		moves := map[string]board.Move{}
		for _, id := range living {
			view := a.view(id)
			if watch != nil {
				watch(view)
			}
			moves[id] = players[id](view)
		}
		a.turn(moves)
		a.spawn()
	}
	return a.living()
}
