package arena

import (
	"encoding/hex"
	"strconv"
	"strings"

	"ouroboros-arena/board"
)

// game is one game under way by the official rules. Equal conditions, seats and seed give equal starts, food and
// hazards, the same as the Python referee's.
type game struct {
	conditions *Conditions
	seed       int64
	seats      int
	// turn counts the turns played.
	turn  int
	state board.State
	undo  board.Undo
	// food lists the food in the order in which the API shows it, oldest first.
	food []int16
	// cuts are the rows and columns that royale has taken.
	cuts   int
	diedOn []int
	// transcript is what is hashed: see the protocol.
	transcript []byte
}

// newGame sets a game up. An error says why these conditions, or so many seats on this board, cannot be played.
func newGame(conditions *Conditions, seats int, seed int64) (*game, error) {
	if err := conditions.check(seats); err != nil {
		return nil, err
	}
	g := &game{conditions: conditions, seed: seed, seats: seats, diedOn: make([]int, seats)}
	g.state.Reset(board.GeometryOf(conditions.Width, conditions.Height, strings.HasPrefix(conditions.Ruleset, "wrapped")))
	g.state.Constrictor = strings.HasSuffix(conditions.Ruleset, "constrictor")
	g.state.HazardDamage = int32(conditions.Numbers.HazardDamagePerTurn)
	if err := g.setUp(); err != nil {
		return nil, err
	}
	g.transcript = append(g.transcript, conditions.header(seats)...)
	return g, nil
}

// header is the first line of a transcript.
func (c *Conditions) header(seats int) string {
	return strconv.Itoa(c.Width) + " " + strconv.Itoa(c.Height) + " " + c.Ruleset + " " + c.Map + " " +
		strconv.Itoa(seats) + "\n"
}

// over reports whether the rules or the turn limit have ended the game.
func (g *game) over() bool { return g.decided() || g.turn >= g.conditions.MaxTurns }

// decided reports whether at most one snake lives; a game of one, or by the ruleset solo, goes on until none does.
func (g *game) decided() bool {
	if g.seats == 1 || g.conditions.Ruleset == "solo" {
		return g.state.Living == 0
	}
	return g.state.Living <= 1
}

// play plays one turn; moves are read for living snakes.
func (g *game) play(moves *[board.MaxSnakes]board.Move) {
	for i := range g.seats {
		letter := byte('-')
		if g.state.Snakes[i].Alive {
			letter = "udlr"[moves[i]]
		}
		g.transcript = append(g.transcript, letter)
	}
	g.transcript = append(g.transcript, '\n')
	g.state.MakeRoom()
	g.state.Step(moves, &g.undo)
	for i := range g.seats {
		if !g.state.Snakes[i].Alive && g.diedOn[i] == 0 {
			g.diedOn[i] = g.turn + 1
		}
	}
	if g.state.Constrictor {
		g.clearFood()
	} else {
		g.dropEaten()
	}
	g.drawTurn()
	g.turn++
}

func (g *game) dropEaten() {
	left := g.food[:0]
	for _, c := range g.food {
		if g.state.Food[c] {
			left = append(left, c)
		}
	}
	g.food = left
}

// length is the number of a snake's body entries at the end, as the rules count them.
func (g *game) length(seat int) int {
	snake := &g.state.Snakes[seat]
	length := int(snake.Length)
	// In constrictor the rules let the dead grow too, once: from then on the tail is stacked.
	if g.state.Constrictor && !snake.Alive && g.state.Stack(seat) == 0 {
		length++
	}
	return length
}

// scores are each seat's share of the point: those who stood last share it.
func (g *game) scores() []float64 {
	last := 0
	for seat := range g.seats {
		last = max(last, g.stoodUntil(seat))
	}
	scores, sharers := make([]float64, g.seats), 0
	for seat := range g.seats {
		if g.stoodUntil(seat) == last {
			scores[seat] = 1
			sharers++
		}
	}
	for seat := range scores {
		scores[seat] /= float64(sharers)
	}
	return scores
}

// stoodUntil is the turn of a snake's death; for the living a turn after all deaths.
func (g *game) stoodUntil(seat int) int {
	if g.state.Snakes[seat].Alive {
		return g.turn + 1
	}
	return g.diedOn[seat]
}

// hash is the transcript's, in hexadecimal.
func (g *game) hash() string {
	digest := blake2b128(g.transcript, "")
	return hex.EncodeToString(digest[:])
}
