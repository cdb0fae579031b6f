package gamelog

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
	"ouroboros-snake/brain"
)

// Format names the line format.
const Format = "ouroboros-game-log/1"

const (
	maxShout  = 256
	mostValue = 1e12
)

const timeLayout = "2006-01-02T15:04:05.000Z"

// game is the record of one game in hand.
type game struct {
	header  header
	youID   string
	youName string
	seen    time.Time
	frames  []byte // the frames as JSON, separated by commas
	full    bool
	turn    int
	index   map[string]int
	food    []api.Point
	hazards []api.Point
}

// header is the line without its frames while the game runs, and the whole line at its end.
type header struct {
	Format    string          `json:"format"`
	GameID    string          `json:"game_id"`
	Ruleset   string          `json:"ruleset"`
	Map       string          `json:"map"`
	Source    string          `json:"source"`
	TimeoutMS int             `json:"timeout_ms"`
	Settings  settings        `json:"settings"`
	Width     int             `json:"width"`
	Height    int             `json:"height"`
	You       int             `json:"you"`
	Snakes    []snake         `json:"snakes"`
	Outcome   string          `json:"outcome"`
	Turns     int             `json:"turns"`
	StartedAt string          `json:"started_at"`
	EndedAt   string          `json:"ended_at"`
	Frames    json.RawMessage `json:"frames"`
}

type settings struct {
	FoodSpawnChance     int `json:"foodSpawnChance"`
	MinimumFood         int `json:"minimumFood"`
	HazardDamagePerTurn int `json:"hazardDamagePerTurn"`
	ShrinkEveryNTurns   int `json:"shrinkEveryNTurns"`
}

type snake struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func newGame(req *api.Request, now time.Time) *game {
	rules := &req.Game.Ruleset
	g := &game{youID: strings.Clone(req.You.ID), youName: strings.Clone(req.You.Name), index: map[string]int{},
		header: header{Format: Format, GameID: strings.Clone(req.Game.ID), Ruleset: strings.Clone(rules.Name),
			Map: strings.Clone(req.Game.Map), Source: strings.Clone(req.Game.Source), TimeoutMS: req.Game.Timeout,
			Settings: settings(rules.Settings), Width: req.Board.Width, Height: req.Board.Height,
			StartedAt: now.UTC().Format(timeLayout)}}
	g.meet(req)
	return g
}

// meet gives every snake not seen before its index.
func (g *game) meet(req *api.Request) {
	for i := range req.Board.Snakes {
		g.number(&req.Board.Snakes[i])
	}
	g.header.You = g.number(&req.You)
}

func (g *game) number(s *api.Snake) int {
	at, known := g.index[s.ID]
	if !known {
		at = len(g.index)
		id := strings.Clone(s.ID)
		g.index[id] = at
		g.header.Snakes = append(g.header.Snakes, snake{ID: id, Name: strings.Clone(s.Name)})
	}
	return at
}

// add appends the frame of a request, unless that turn has been seen; decided is nil where nobody thought.
func (g *game) add(req *api.Request, decided *brain.Decision, took time.Duration) {
	first := len(g.frames) == 0
	if g.full || (!first && req.Turn <= g.turn) {
		return
	}
	g.meet(req)
	if !first {
		g.frames = append(g.frames, ',')
	}
	g.frames = append(g.frames, `{"t":`...)
	g.frames = strconv.AppendInt(g.frames, int64(req.Turn), 10)
	g.addSnakes(req.Board.Snakes)
	if first || req.Turn != g.turn+1 {
		g.addBodies(req.Board.Snakes)
	}
	g.food = g.addChanged(`,"f":`, g.food, req.Board.Food)
	g.hazards = g.addChanged(`,"z":`, g.hazards, req.Board.Hazards)
	g.addTold(req.Board.Snakes)
	if decided != nil {
		g.addThought(decided, took)
	}
	g.frames = append(g.frames, '}')
	g.turn = req.Turn
	if len(g.frames) > MaxGameBytes {
		g.frames, g.full = g.frames[:1:1], true
	}
}

func (g *game) addSnakes(living []api.Snake) {
	g.frames = append(g.frames, `,"s":[`...)
	for i := range living {
		s := &living[i]
		var head api.Point
		if len(s.Body) > 0 {
			head = s.Body[0]
		}
		if i > 0 {
			g.frames = append(g.frames, ',')
		}
		g.addNumbers(g.index[s.ID], s.Health, len(s.Body), head.X, head.Y)
	}
	g.frames = append(g.frames, ']')
}

func (g *game) addBodies(living []api.Snake) {
	g.frames = append(g.frames, `,"b":[`...)
	for i := range living {
		if i > 0 {
			g.frames = append(g.frames, ',')
		}
		g.frames = append(g.frames, '[')
		g.frames = strconv.AppendInt(g.frames, int64(g.index[living[i].ID]), 10)
		g.frames = append(g.frames, ',')
		g.addPoints(living[i].Body)
		g.frames = append(g.frames, ']')
	}
	g.frames = append(g.frames, ']')
}

// addTold appends the latencies and shouts that the game server tells.
func (g *game) addTold(living []api.Snake) {
	latencies, shouts := 0, 0
	for i := range living {
		if ms := living[i].Latency; ms > 0 {
			g.open(`,"l":[`, latencies)
			g.addNumbers(g.index[living[i].ID], ms)
			latencies++
		}
	}
	g.close(latencies)
	for i := range living {
		if words := living[i].Shout; words != "" {
			g.open(`,"w":[`, shouts)
			g.frames = strconv.AppendInt(append(g.frames, '['), int64(g.index[living[i].ID]), 10)
			text, _ := json.Marshal(words[:min(len(words), maxShout)]) // a string cannot fail
			g.frames = append(append(append(g.frames, ','), text...), ']')
			shouts++
		}
	}
	g.close(shouts)
}

// open begins a list of that name with its first entry, or the next one; close ends a list that was begun.
func (g *game) open(name string, entries int) {
	if entries == 0 {
		g.frames = append(g.frames, name...)
	} else {
		g.frames = append(g.frames, ',')
	}
}

func (g *game) close(entries int) {
	if entries > 0 {
		g.frames = append(g.frames, ']')
	}
}

// addThought appends what was decided.
func (g *game) addThought(d *brain.Decision, took time.Duration) {
	g.frames = append(append(append(g.frames, `,"k":{"m":"`...), board.Words[d.Move]...), `","v":`...)
	g.addValue(d.Value)
	g.frames = strconv.AppendInt(append(g.frames, `,"d":`...), int64(d.Depth), 10)
	g.frames = strconv.AppendInt(append(g.frames, `,"n":`...), int64(d.Scored), 10)
	g.frames = strconv.AppendFloat(append(g.frames, `,"ms":`...), float64(took.Microseconds())/1000, 'f', 1, 64)
	g.frames = append(g.frames, `,"s":[`...)
	for i, m := range d.Moves[:d.Considered] {
		if i > 0 {
			g.frames = append(g.frames, ',')
		}
		g.frames = append(append(append(g.frames, `["`...), board.Words[m.Move]...), `",`...)
		g.addValue(m.Value)
		g.frames = append(g.frames, ']')
	}
	g.frames = append(g.frames, "]}"...)
}

// addValue appends a value as JSON can hold it.
func (g *game) addValue(value float64) {
	value = min(max(value, -mostValue), mostValue)
	g.frames = strconv.AppendFloat(g.frames, value, 'f', 1, 64)
}

// addChanged appends the points under their name if they are not those of before; it returns those now standing.
func (g *game) addChanged(name string, before, now []api.Point) []api.Point {
	if slices.Equal(before, now) {
		return before
	}
	g.frames = append(g.frames, name...)
	g.addPoints(now)
	return append(before[:0], now...)
}

func (g *game) addPoints(points []api.Point) {
	g.frames = append(g.frames, '[')
	for i, p := range points {
		if i > 0 {
			g.frames = append(g.frames, ',')
		}
		g.frames = strconv.AppendInt(g.frames, int64(p.X), 10)
		g.frames = append(g.frames, ',')
		g.frames = strconv.AppendInt(g.frames, int64(p.Y), 10)
	}
	g.frames = append(g.frames, ']')
}

func (g *game) addNumbers(numbers ...int) {
	for i, n := range numbers {
		if i == 0 {
			g.frames = append(g.frames, '[')
		} else {
			g.frames = append(g.frames, ',')
		}
		g.frames = strconv.AppendInt(g.frames, int64(n), 10)
	}
	g.frames = append(g.frames, ']')
}

// line is the finished game's line, with its line break.
func (g *game) line(end *api.Request, ended time.Time) ([]byte, error) {
	h := &g.header
	h.Outcome = outcome(end, len(h.Snakes) == 1)
	h.Turns = max(g.turn, end.Turn)
	h.EndedAt = ended.Format(timeLayout)
	h.Frames = append(append([]byte{'['}, g.frames...), ']')
	line, err := json.Marshal(h)
	return append(line, '\n'), err
}

// outcome judges the game by who lives at its end; the package comment has the rule.
func outcome(end *api.Request, alone bool) string {
	you, others := false, 0
	for i := range end.Board.Snakes {
		if end.Board.Snakes[i].ID == end.You.ID {
			you = true
		} else {
			others++
		}
	}
	switch {
	case you && others == 0 && !alone:
		return "win"
	case !you && (others > 0 || alone):
		return "loss"
	default:
		return "draw"
	}
}
