package brain

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"ouroboros-arena/board"
)

// officialRecord is a game recorded from the official engine (arena/board/vectors_test.go reads all of it).
type officialRecord struct {
	Ruleset  string
	W, H     int
	Settings struct{ DamagePerTurn int }
	Init     struct {
		S []json.RawMessage
		F []int
		Z []int
		E [][]any
	}
	Turns []struct {
		S []json.RawMessage
		E [][]any
		F *[]int
		Z *[]int
		N []int
		Y *[]int
	}
}

// officialPosition is what the record shows at one moment; the snakes' states are [health, body].
type officialPosition struct {
	snakes        []json.RawMessage
	dead          map[int]bool
	food, hazards []int
}

// eachOfficialPosition calls see for every recorded position that a flood by masks holds, two living snakes at least.
func eachOfficialPosition(t *testing.T, see func(s *board.State)) {
	t.Helper()
	file, err := os.Open("../arena/board/testdata/vectors.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(unpacked)
	lines.Buffer(nil, 64<<20)
	var s board.State
	for lines.Scan() {
		var record officialRecord
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			t.Fatal(err)
		}
		record.each(func(now *officialPosition) {
			if record.W*record.H <= narrowCells && record.load(&s, now) && s.Living > 1 {
				see(&s)
			}
		})
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
}

func (r *officialRecord) each(see func(now *officialPosition)) {
	now := officialPosition{snakes: r.Init.S, dead: map[int]bool{}, food: r.Init.F, hazards: r.Init.Z}
	now.bury(r.Init.E)
	see(&now)
	for i := range r.Turns {
		turn := &r.Turns[i]
		now.snakes = turn.S
		now.bury(turn.E)
		if turn.F != nil {
			now.food = *turn.F
		}
		now.food = append(now.food[:len(now.food):len(now.food)], turn.N...)
		if turn.Y != nil {
			now.hazards = *turn.Y
		} else if turn.Z != nil {
			now.hazards = *turn.Z
		}
		see(&now)
	}
}

func (p *officialPosition) bury(deaths [][]any) {
	for _, death := range deaths {
		p.dead[int(death[0].(float64))] = true
	}
}

// load sets the living snakes up; false where they are more than both snakes hold, or a body is not told.
func (r *officialRecord) load(s *board.State, now *officialPosition) bool {
	geo := board.GeometryOf(r.W, r.H, strings.Contains(r.Ruleset, "wrapped"))
	s.Reset(geo)
	s.Constrictor = strings.Contains(r.Ruleset, "constrictor")
	s.HazardDamage = int32(r.Settings.DamagePerTurn)
	for i, text := range now.snakes {
		if now.dead[i] {
			continue
		}
		health, flat := 0, []int(nil)
		if json.Unmarshal(text, &[]any{&health, &flat}) != nil || !s.AddSnake(health, officialCells(geo, flat)) {
			return false
		}
	}
	for _, c := range officialCells(geo, now.food) {
		if c >= 0 {
			s.AddFood(c)
		}
	}
	for _, c := range officialCells(geo, now.hazards) {
		if c >= 0 {
			s.AddHazard(c)
		}
	}
	return len(s.Snakes) <= 8
}

func officialCells(g *board.Geometry, flat []int) (list []int16) {
	for i := 0; i < len(flat); i += 2 {
		list = append(list, int16(g.Cell(flat[i], flat[i+1])))
	}
	return list
}
