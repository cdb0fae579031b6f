package arena

import (
	"fmt"
	"math"
	"slices"
)

// Conditions are how every game of a job is played: the board, the rules, the clock. All fields are the referee's
// (pipeline/referee/schedule.py).
type Conditions struct {
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	Ruleset string  `json:"ruleset"`
	Map     string  `json:"map"`
	Numbers Numbers `json:"numbers"`
	// TimeoutMs is the time for one move; a later answer is not played.
	TimeoutMs int `json:"timeout_ms"`
	// MaxTurns ends a game as a draw of the living.
	MaxTurns int `json:"max_turns"`
}

// Numbers are the rules' four, as the API means them.
type Numbers struct {
	FoodSpawnChance     int `json:"food_spawn_chance"`
	MinimumFood         int `json:"minimum_food"`
	HazardDamagePerTurn int `json:"hazard_damage_per_turn"`
	ShrinkEveryNTurns   int `json:"shrink_every_n_turns"`
}

func (n *Numbers) all() []int {
	return []int{n.FoodSpawnChance, n.MinimumFood, n.HazardDamagePerTurn, n.ShrinkEveryNTurns}
}

const (
	mapStandard = "standard"
	mapEmpty    = "empty"
	mapRoyale   = "royale"
)

var (
	rulesets = []string{"standard", "solo", "royale", "wrapped", "constrictor", "wrapped_constrictor"}
	maps     = []string{mapStandard, mapEmpty, mapRoyale}
)

// The limits of what is played here; the Python engine takes 3 to 25 cells a side too, and up to 16 snakes.
const (
	leastSide, mostSide = 3, 25
	mostSeats           = 8
	mostTurns           = 1_000_000
	mostTimeoutMs       = 3_600_000
	mostNumber          = math.MaxInt32
)

// check says why games of so many seats cannot be played here; their caller can still play them over HTTP.
func (c *Conditions) check(seats int) error {
	switch {
	case !slices.Contains(rulesets, c.Ruleset):
		return fmt.Errorf("the ruleset %q is not played here", c.Ruleset)
	case !slices.Contains(maps, c.Map):
		return fmt.Errorf("the map %q is not played here", c.Map)
	case seats < 1 || seats > mostSeats:
		return fmt.Errorf("%d seats: 1 to %d are played here", seats, mostSeats)
	case c.Width < leastSide || c.Width > mostSide || c.Height < leastSide || c.Height > mostSide:
		return fmt.Errorf("a board of %dx%d: sides of %d to %d are played here", c.Width, c.Height, leastSide, mostSide)
	case (c.Ruleset == "royale" || c.Map == mapRoyale) && c.Numbers.ShrinkEveryNTurns < 1:
		return fmt.Errorf("shrink_every_n_turns is %d: royale needs at least 1", c.Numbers.ShrinkEveryNTurns)
	case slices.ContainsFunc(c.Numbers.all(), func(n int) bool { return n < -mostNumber || n > mostNumber }):
		return fmt.Errorf("numbers beyond %d are not played here", mostNumber)
	case c.TimeoutMs < 1 || c.TimeoutMs > mostTimeoutMs:
		return fmt.Errorf("timeout_ms is %d, not 1 to %d", c.TimeoutMs, mostTimeoutMs)
	case c.MaxTurns < 1 || c.MaxTurns > mostTurns:
		return fmt.Errorf("max_turns is %d, not 1 to %d", c.MaxTurns, mostTurns)
	}
	return nil
}
