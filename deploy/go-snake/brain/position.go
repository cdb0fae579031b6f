package brain

import (
	"fmt"
	"strings"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
	"ouroboros-snake/leafeval"
	"ouroboros-snake/weights"
)

// Player turns move requests into moves. It reuses its memory, so it serves one request at a time.
type Player struct {
	// Learned is a Thinker's.
	Learned *leafeval.Evaluation

	state   board.State
	thinker Thinker
	body    []int16
	helpers []*Player
}

// Move chooses the move for a /move request within the weights' budgets, by no clock. An error says what in the request
// makes no position.
func (p *Player) Move(req *api.Request, w *weights.Weights) (Decision, error) {
	me, err := p.place(req)
	if err != nil {
		return Decision{}, err
	}
	return p.thinker.Choose(&p.state, me, w), nil
}

// place sets up the position of the request and returns which of its snakes is ours.
func (p *Player) place(req *api.Request) (me int, err error) {
	b := &req.Board
	if b.Width < 1 || b.Height < 1 || b.Width > board.MaxCells || b.Height > board.MaxCells ||
		b.Width*b.Height > board.MaxCells {
		return 0, fmt.Errorf("a board of %d x %d cannot be played; up to %d cells can", b.Width, b.Height, board.MaxCells)
	}
	rules := req.Game.Ruleset.Name
	geo := board.GeometryOf(b.Width, b.Height, strings.Contains(rules, "wrapped"))
	p.state.Reset(geo)
	p.state.Constrictor = strings.Contains(rules, "constrictor")
	p.state.HazardDamage = int32(req.Game.Ruleset.Settings.HazardDamagePerTurn)
	for _, f := range b.Food {
		if c := geo.Cell(f.X, f.Y); c >= 0 {
			p.state.AddFood(int16(c))
		}
	}
	for _, z := range b.Hazards { // some maps keep hazards off the board, where nobody lives to feel them
		if c := geo.Cell(z.X, z.Y); c >= 0 {
			p.state.AddHazard(int16(c))
		}
	}
	return p.placeSnakes(req, geo)
}

// placeSnakes adds the snakes in the order of the request.
func (p *Player) placeSnakes(req *api.Request, geo *board.Geometry) (me int, err error) {
	me, p.thinker.Learned = -1, p.Learned
	for i := range req.Board.Snakes {
		sn := &req.Board.Snakes[i]
		p.body = p.body[:0]
		for _, at := range sn.Body {
			p.body = append(p.body, int16(geo.Cell(at.X, at.Y)))
		}
		if sn.ID == req.You.ID {
			me = len(p.state.Snakes)
		}
		if !p.state.AddSnake(sn.Health, p.body) {
			return 0, fmt.Errorf("snake %q cannot be placed: its body is empty or off the board, or there are over %d snakes",
				sn.ID, board.MaxSnakes)
		}
	}
	if me < 0 {
		return 0, fmt.Errorf("you (snake %q) are not among the board's living snakes", req.You.ID)
	}
	return me, nil
}
