// Package api is the Battlesnake API's JSON, as far as this snake uses it.
package api

// Request is the body of /start, /move and /end. Strings share the memory of the decoded text.
type Request struct {
	Game  Game
	Turn  int
	Board Board
	You   Snake
}

// Game names the game and its rules.
type Game struct {
	ID      string
	Ruleset Ruleset
	Map     string
	Source  string
	// Timeout is in milliseconds.
	Timeout int
}

// Ruleset is the rules' name with those settings that this snake reads or logs.
type Ruleset struct {
	Name     string
	Settings Settings
}

// Settings of a ruleset; ShrinkEveryNTurns is the one below "royale".
type Settings struct {
	FoodSpawnChance     int
	MinimumFood         int
	HazardDamagePerTurn int
	ShrinkEveryNTurns   int
}

// Board is what lies on it now; only living snakes are listed, and a hazard is repeated once per layer.
type Board struct {
	Width, Height int
	Snakes        []Snake
	Food, Hazards []Point
}

// Snake as the API sends it; head and length are left out, since the body has both.
type Snake struct {
	ID, Name string
	Health   int
	// Latency is how long the caller waited for the snake's last answer, in milliseconds; 0 when it does not say. In the
	// official games the entries of Board.Snakes have it, You does not.
	Latency int
	// Shout is what it said on its last move.
	Shout string
	Body  []Point
}

// Point is a cell; y grows upward.
type Point struct{ X, Y int }
