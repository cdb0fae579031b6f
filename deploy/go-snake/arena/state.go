package arena

import (
	"strconv"
	"strings"
)

// State is a move request as the Battlesnake API sends it; the names are those of the official Go starter, so that its
// GameState and the types below may be aliases of these. Two differences from a request over HTTP: every latency is "0"
// (a clock would make games unrepeatable), and customizations are empty.
type State struct {
	Game  Game        `json:"game"`
	Turn  int         `json:"turn"`
	Board Board       `json:"board"`
	You   Battlesnake `json:"you"`
}

// Game names the game and its rules.
type Game struct {
	ID      string  `json:"id"`
	Ruleset Ruleset `json:"ruleset"`
	Map     string  `json:"map"`
	// Timeout is in milliseconds.
	Timeout int    `json:"timeout"`
	Source  string `json:"source"`
}

// Ruleset is the rules' name with their settings.
type Ruleset struct {
	Name     string          `json:"name"`
	Version  string          `json:"version"`
	Settings RulesetSettings `json:"settings"`
}

// RulesetSettings are the rules' numbers.
type RulesetSettings struct {
	FoodSpawnChance     int            `json:"foodSpawnChance"`
	MinimumFood         int            `json:"minimumFood"`
	HazardDamagePerTurn int            `json:"hazardDamagePerTurn"`
	Royale              RoyaleSettings `json:"royale"`
}

// RoyaleSettings are the numbers of the royale ruleset and map.
type RoyaleSettings struct {
	ShrinkEveryNTurns int `json:"shrinkEveryNTurns"`
}

// Board is what lies on it now; only living snakes are listed, and a hazard is repeated once per layer.
type Board struct {
	Height  int           `json:"height"`
	Width   int           `json:"width"`
	Snakes  []Battlesnake `json:"snakes"`
	Food    []Coord       `json:"food"`
	Hazards []Coord       `json:"hazards"`
}

// Battlesnake is one snake, its body head first.
type Battlesnake struct {
	ID             string         `json:"id"`
	Name           string         `json:"name"`
	Latency        string         `json:"latency"`
	Health         int            `json:"health"`
	Body           []Coord        `json:"body"`
	Head           Coord          `json:"head"`
	Length         int            `json:"length"`
	Shout          string         `json:"shout"`
	Squad          string         `json:"squad"`
	Customizations Customizations `json:"customizations"`
}

// Customizations is a snake's look.
type Customizations struct {
	Color string `json:"color"`
	Head  string `json:"head"`
	Tail  string `json:"tail"`
}

// Coord is a cell; y grows upward.
type Coord struct {
	X int `json:"x"`
	Y int `json:"y"`
}

// identity is what names a game and its snakes, drawn from seed and seats as the referee draws it.
type identity struct {
	game   string
	snakes []string
	names  []string
}

// identityOf names the game of this seed in which rotation[seat] is the participant at each seat.
func identityOf(seed int64, rotation []int) identity {
	numbers := make([]string, len(rotation))
	for seat, participant := range rotation {
		numbers[seat] = strconv.Itoa(participant)
	}
	tuple := "(" + strings.Join(numbers, ", ") + ")"
	if len(rotation) == 1 {
		tuple = "(" + numbers[0] + ",)"
	}
	text := strconv.FormatInt(seed, 10) + " " + tuple
	who := identity{game: derivedID("game " + text)}
	for seat, number := range numbers {
		who.snakes = append(who.snakes, derivedID("snake "+text+" "+strconv.Itoa(seat)))
		who.names = append(who.names, "snake "+number)
	}
	return who
}

// request is the state as the living snake at a seat is asked about it; it shares no memory with the game.
func (g *game) request(who *identity, seat int) *State {
	numbers := &g.conditions.Numbers
	s := &State{Turn: g.turn, Game: Game{ID: who.game, Map: g.conditions.Map, Timeout: g.conditions.TimeoutMs,
		Ruleset: Ruleset{Name: g.conditions.Ruleset, Version: "cli", Settings: RulesetSettings{
			FoodSpawnChance: numbers.FoodSpawnChance, MinimumFood: numbers.MinimumFood,
			HazardDamagePerTurn: numbers.HazardDamagePerTurn,
			Royale:              RoyaleSettings{ShrinkEveryNTurns: numbers.ShrinkEveryNTurns}}}}}
	s.Board = Board{Height: g.conditions.Height, Width: g.conditions.Width, Food: g.coords(g.food), Hazards: g.hazards()}
	s.Board.Snakes = make([]Battlesnake, 0, g.state.Living)
	for i := range g.seats {
		if g.state.Snakes[i].Alive {
			s.Board.Snakes = append(s.Board.Snakes, g.battlesnake(who, i))
		}
	}
	s.You = g.battlesnake(who, seat)
	return s
}

func (g *game) battlesnake(who *identity, i int) Battlesnake {
	snake := &g.state.Snakes[i]
	body := g.body(i)
	return Battlesnake{ID: who.snakes[i], Name: who.names[i], Latency: "0", Health: int(snake.Health), Body: body,
		Head: body[0], Length: len(body)}
}

func (g *game) coord(c int16) Coord { return Coord{X: int(g.state.Geo.X[c]), Y: int(g.state.Geo.Y[c])} }

func (g *game) coords(cells []int16) []Coord {
	list := make([]Coord, 0, len(cells))
	for _, c := range cells {
		list = append(list, g.coord(c))
	}
	return list
}

// hazards lists every layer column by column, as official royale does.
func (g *game) hazards() []Coord {
	list := make([]Coord, 0, g.state.Hazards)
	if g.state.Hazards == 0 {
		return list
	}
	for spot := range g.state.Geo.Cells {
		c := g.spot(spot)
		for range g.state.Hazard[c] {
			list = append(list, g.coord(c))
		}
	}
	return list
}
