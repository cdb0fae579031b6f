package selfplay

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"ouroboros-arena"
	"ouroboros-arena/board"

	"ouroboros-snake/brain"
	"ouroboros-snake/leafeval"
	"ouroboros-snake/weights"
)

// Plan says which games to play.
type Plan struct {
	// Games are played, of the seeds from First on.
	Games int
	First int64
	Seats int
	// Positions is the budget of every move; Stray the share of moves that are any open one instead of the search's, so
	// that snakes come into positions that they would avoid.
	Positions int
	Stray     float64
}

// Play plays the games of a plan and writes a Record of each, one a line.
func Play(out io.Writer, plan Plan, w *weights.Weights, learned *leafeval.Evaluation) error {
	own := *w
	own.Search.DuelBudget, own.Search.CrowdBudget = plan.Positions, plan.Positions
	player := player{weights: &own, thinker: brain.Thinker{Learned: learned}, stray: plan.Stray}
	lines := json.NewEncoder(out)
	for k := range plan.Games {
		record, err := player.play(plan.First+int64(k), plan.Seats)
		if err != nil {
			return err
		}
		record.Positions = plan.Positions
		if err := lines.Encode(record); err != nil {
			return fmt.Errorf("a game could not be written: %w", err)
		}
	}
	return nil
}

// player is the memory that games are played with, one at a time.
type player struct {
	weights *weights.Weights
	thinker brain.Thinker
	view    board.State
	beside  board.State
	undo    board.Undo
	stray   float64
}

func (p *player) play(seed int64, seats int) (*Record, error) {
	game, err := arena.NewMatch(arena.Standard(), seats, seed)
	if err != nil {
		return nil, err
	}
	record := &Record{Format: Format, Seed: seed, Seats: seats}
	rng := rand.New(rand.NewPCG(uint64(seed), uint64(seats)))
	var moves [board.MaxSnakes]board.Move
	for turn := 0; !game.Over(); turn++ {
		state := game.State()
		for range asidesPerTurn {
			p.aside(state, turn, rng, record)
		}
		state.CopyLiving(&p.view)
		me := 0
		for seat := range seats {
			if state.Snakes[seat].Alive {
				moves[seat] = p.move(me, rng, record)
				me++
			}
		}
		game.Play(&moves)
	}
	record.Moves, record.Scores = game.Moves(), game.Scores()
	return record, nil
}

// asidesPerTurn is how many positions beside the game are searched for each of its turns; each is up to mostBeside turns of
// open moves away.
const (
	asidesPerTurn = 6
	mostBeside    = 3
)

// aside plays some turns of open moves from the game's position, and searches what comes of them for one of the snakes,
// unless it is dead by then or the game decided.
func (p *player) aside(state *board.State, turn int, rng *rand.Rand, record *Record) {
	state.CopyLiving(&p.beside)
	aside := Aside{Turn: turn, Seat: rng.IntN(p.beside.Living)}
	var moves [board.MaxSnakes]board.Move
	for range 1 + rng.IntN(mostBeside) {
		for i := range p.beside.Snakes {
			letter := byte('-')
			if p.beside.Snakes[i].Alive {
				open := brain.OpenMoves(&p.beside, i)
				moves[i] = open[rng.IntN(len(open))]
				letter = "udlr"[moves[i]]
			}
			aside.Moves += string(letter)
		}
		if p.beside.Step(&moves, &p.undo); p.beside.Living < 2 || !p.beside.Snakes[aside.Seat].Alive {
			return
		}
	}
	p.beside.CopyLiving(&p.view)
	found := p.thinker.Choose(&p.view, placeAmongLiving(&p.beside, aside.Seat), p.weights)
	if found.Depth > 0 {
		aside.Value = int(math.Round(found.Value))
		record.Asides = append(record.Asides, aside)
	}
}

// placeAmongLiving is the number of snake i when the dead are left out.
func placeAmongLiving(s *board.State, i int) (place int) {
	for k := range i {
		if s.Snakes[k].Alive {
			place++
		}
	}
	return place
}

// move chooses the move of snake me in the view, and notes what the search says of it.
func (p *player) move(me int, rng *rand.Rand, record *Record) board.Move {
	found := p.thinker.Choose(&p.view, me, p.weights)
	record.Values = append(record.Values, int(math.Round(found.Value)))
	if found.Depth == 0 {
		record.Searched += "-"
		return found.Move
	}
	record.Searched += "s"
	if rng.Float64() < p.stray {
		open := brain.OpenMoves(&p.view, me)
		return open[rng.IntN(len(open))]
	}
	return found.Move
}
