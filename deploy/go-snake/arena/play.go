package arena

import "ouroboros-arena/board"

// Match is one game that its caller plays turn by turn: the same seed and moves give the same game as everywhere here.
type Match struct{ game *game }

// NewMatch sets a game up. An error says why these conditions, or so many seats on this board, cannot be played.
func NewMatch(conditions *Conditions, seats int, seed int64) (*Match, error) {
	g, err := newGame(conditions, seats, seed)
	if err != nil {
		return nil, err
	}
	return &Match{game: g}, nil
}

// Standard are the usual conditions on a board of 11 by 11.
func Standard() *Conditions {
	return &Conditions{Width: 11, Height: 11, Ruleset: "standard", Map: mapStandard, TimeoutMs: 500, MaxTurns: 1000,
		Numbers: Numbers{FoodSpawnChance: 15, MinimumFood: 1, HazardDamagePerTurn: 14, ShrinkEveryNTurns: 25}}
}

// State is the position, the dead in their places; it is read only.
func (m *Match) State() *board.State { return &m.game.state }

// Over reports whether the rules or the turn limit have ended the game.
func (m *Match) Over() bool { return m.game.over() }

// Play plays one turn; moves are read for living snakes.
func (m *Match) Play(moves *[board.MaxSnakes]board.Move) { m.game.play(moves) }

// Scores are each seat's share of the point: those who stood last share it.
func (m *Match) Scores() []float64 { return m.game.scores() }

// Moves are all turns so far, each seat's move as a letter (u, d, l, r; - for the dead), without anything between.
func (m *Match) Moves() string {
	var letters []byte
	for _, c := range m.game.transcript[len(m.game.conditions.header(m.game.seats)):] {
		if c != '\n' {
			letters = append(letters, c)
		}
	}
	return string(letters)
}
