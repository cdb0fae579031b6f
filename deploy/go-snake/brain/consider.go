package brain

import (
	"ouroboros-arena/board"
	"ouroboros-snake/api"
	"ouroboros-snake/weights"
)

// Thought is what the search says of one move, whatever else I could do.
type Thought struct {
	Move board.Move
	// Value is that against the worst reply found.
	Value float64
	// Holds says that the move does not lose as far as the search looks.
	Holds bool
	// Depth is the number of turns looked ahead, Scored the number of positions scored.
	Depth, Scored int
}

// certainDeath is a loss that no sum of other values makes up for, so that a lost line shows in its value.
const certainDeath = 1e9

// Consider thinks about each move of the snake that is asked: which it would make, as Move says, and what comes of each
// against the worst replies of the nearest opponents, each with the whole budget to itself. Moves that run into a wall or
// a body at once are left out; the best comes first. There is no clock in it.
func (p *Player) Consider(req *api.Request, w *weights.Weights) (Decision, []Thought, error) {
	me, err := p.place(req)
	if err != nil {
		return Decision{}, nil, err
	}
	decision := p.thinker.Choose(&p.state, me, w)
	return decision, p.thinker.considerAll(&p.state, me, w), nil
}

func (t *Thinker) considerAll(s *board.State, me int, w *weights.Weights) []Thought {
	wary := *w.Among(s.Living, &t.eval.crowd)
	wary.Crowd = nil
	wary.Outcome.Death = certainDeath
	wary.Search.DuelPessimism, wary.Search.DuelPessimismLater = 1, 1
	wary.Search.CrowdPessimism, wary.Search.CrowdPessimismLater = 1, 1
	var moves [4]board.Move
	var thoughts []Thought
	for _, m := range moves[:options(s, me, &moves)] {
		if !s.Enterable(s.Geo.Next[s.Snakes[me].Head][m]) {
			continue // there is no way out at all
		}
		thought := t.consider(s, me, &wary, m)
		if !thought.Holds {
			thought.Value += certainDeath - w.Outcome.Death
		}
		at := len(thoughts)
		thoughts = append(thoughts, thought)
		for ; at > 0 && thoughts[at-1].Value < thought.Value; at-- {
			thoughts[at], thoughts[at-1] = thoughts[at-1], thought
		}
	}
	return thoughts
}

// consider looks at one move deeper and deeper, until the budget or the depth is used up or every line has ended.
func (t *Thinker) consider(s *board.State, me int, w *weights.Weights, m board.Move) Thought {
	t.own.prepare(budgetOf(s, w))
	depth := t.begin(s, me, w, &t.own, alarm{})
	var predicted [board.MaxSnakes]board.Move
	t.predictAll(s, &predicted)
	root := []rootMove{{move: m}}
	thought := Thought{Move: m}
	for d := 1; d <= depth && (t.scored < t.limit || d == 1); d++ {
		t.first, t.quiet = d == 1, 0
		if t.look(s, root, d, &predicted) == 1 {
			thought.Value, thought.Depth = root[0].value, d
		}
		if t.quiet == 0 {
			break // every line ends the game: there is nothing deeper
		}
	}
	thought.Holds, thought.Scored = thought.Value > -certainDeath/2, t.scored
	return thought
}
