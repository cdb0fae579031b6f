package board

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// record is one game or episode recorded from the official engine. Cells are flat lists of x and y; a snake's state is
// [health, body].
type record struct {
	ID       string
	Ruleset  string
	W, H     int
	Settings struct{ DamagePerTurn int }
	Init     struct {
		S []creature
		F []int
		Z []int
		E [][]any // [index, cause, by, turn] of the dead
	}
	Turns []struct {
		M string
		S []creature
		E [][]any
		F *[]int
		Z *[]int
		N []int
		Y *[]int
	}
}

// creature is a snake's state; a dead one that did not change is recorded as 0.
type creature struct {
	health int
	body   []int
}

func (c *creature) UnmarshalJSON(text []byte) error {
	if string(text) == "0" {
		return nil
	}
	return json.Unmarshal(text, &[]any{&c.health, &c.body})
}

// situation is the plain form of a position.
type situation struct {
	snakes  []creature
	dead    []bool
	causes  []string
	food    []int
	hazards []int
}

func (v *record) start() situation {
	now := situation{snakes: v.Init.S, dead: make([]bool, len(v.Init.S)),
		causes: make([]string, len(v.Init.S)), food: v.Init.F, hazards: v.Init.Z}
	for _, e := range v.Init.E {
		now.dead[int(e[0].(float64))] = true
	}
	return now
}

// load sets the situation up; snakes that are dead already are left out, so index maps recorded to state indices.
func (v *record) load(t *testing.T, s *State, now *situation) (index []int) {
	t.Helper()
	geo := GeometryOf(v.W, v.H, strings.Contains(v.Ruleset, "wrapped"))
	s.Reset(geo)
	s.Constrictor = strings.Contains(v.Ruleset, "constrictor")
	s.HazardDamage = int32(v.Settings.DamagePerTurn)
	index = make([]int, len(now.snakes))
	for i, c := range now.snakes {
		index[i] = -1
		if !now.dead[i] {
			index[i] = len(s.Snakes)
			if !s.AddSnake(c.health, cells(geo, c.body)) {
				t.Fatalf("%s: snake %d cannot be placed", v.ID, i)
			}
		}
	}
	for _, c := range cells(geo, now.food) {
		s.AddFood(c)
	}
	for _, c := range cells(geo, now.hazards) {
		if c != Wall {
			s.AddHazard(c)
		}
	}
	return index
}

func cells(g *Geometry, flat []int) (list []int16) {
	for i := 0; i < len(flat); i += 2 {
		list = append(list, int16(g.Cell(flat[i], flat[i+1])))
	}
	return list
}

// body is the snake's body as the rules have it, head first, stacked cells repeated.
func body(s *State, i int) []int16 {
	path := slices.Clone(s.Path(i))
	slices.Reverse(path)
	for range s.Stack(i) {
		path = append(path, path[len(path)-1])
	}
	return path
}

// check compares the state with a recorded situation: who lives, health, bodies, who blocks which cell until when.
func (v *record) check(t *testing.T, s *State, index []int, now *situation) {
	t.Helper()
	living := 0
	blocked := map[int16]bool{}
	for i, c := range now.snakes {
		k := index[i]
		if k < 0 {
			continue
		}
		sn := &s.Snakes[k]
		if sn.Alive == now.dead[i] {
			t.Fatalf("%s: snake %d alive is %v", v.ID, i, sn.Alive)
		}
		if word := CauseWords[sn.Cause]; word != now.causes[i] {
			t.Fatalf("%s: snake %d died of %q, want %q", v.ID, i, word, now.causes[i])
		}
		if now.dead[i] {
			continue
		}
		living++
		want := cells(s.Geo, c.body)
		if got := body(s, k); int(sn.Health) != c.health || !slices.Equal(got, want) || int(sn.Length) != len(want) {
			t.Fatalf("%s: snake %d has health %d, body %v; want %d, %v", v.ID, i, sn.Health, got, c.health, want)
		}
		for at, cell := range want {
			if !blocked[cell] && !s.Constrictor && s.FreeAt(cell) != s.Turn+int32(len(want)-at) {
				t.Fatalf("%s: entry %d of snake %d is free at %d on turn %d", v.ID, at, i, s.FreeAt(cell), s.Turn)
			}
			blocked[cell] = true
		}
	}
	if s.Living != living {
		t.Fatalf("%s: %d living, want %d", v.ID, s.Living, living)
	}
	food := cells(s.Geo, now.food)
	for c := range int16(s.Geo.Cells) {
		if s.Food[c] != slices.Contains(food, c) && !s.Constrictor {
			t.Fatalf("%s: food at %d is %v", v.ID, c, s.Food[c])
		}
		if (s.FreeAt(c) > s.Turn) != blocked[c] {
			t.Fatalf("%s: cell %d free at %d on turn %d, want blocked %v", v.ID, c, s.FreeAt(c), s.Turn, blocked[c])
		}
	}
}

// snapshot is a deep copy of everything that Step may change and Undo must restore.
func snapshot(s *State) []any {
	var bodies [][]int16
	for i := range s.Snakes {
		bodies = append(bodies, body(s, i))
	}
	return []any{s.Turn, s.Living, slices.Clone(s.Snakes), slices.Clone(s.Owner), slices.Clone(s.Food), bodies}
}

// TestOfficialVectors replays games recorded from the official engine. From every position of a game it plays the next
// few turns in one go, compares each with the record, and takes them back.
func TestOfficialVectors(t *testing.T) {
	file, err := os.Open("testdata/vectors.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(text)
	scan.Buffer(nil, 16<<20)
	turns := 0
	for scan.Scan() {
		var v record
		if err := json.Unmarshal(scan.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		now := v.start()
		for at := range v.Turns {
			turns += v.playFrom(t, at, now)
			now = v.after(at, now)
		}
	}
	if err := scan.Err(); err != nil || turns < 8000 {
		t.Fatalf("%d turns compared, %v", turns, err)
	}
}

const chain = 4

// stub: a snake of length 1, which no game has, dies in the official engine by eating. State does not go so far.
func stub(c creature) bool { return len(c.body) == 2 }

// playFrom plays up to chain turns from turn number at, as long as no hazards change and all moves are words.
func (v *record) playFrom(t *testing.T, at int, now situation) (played int) {
	var s State
	var undos [chain]Undo
	var before [chain][]any
	index := v.load(t, &s, &now)
	for ; played < chain && at+played < len(v.Turns); played++ {
		turn := &v.Turns[at+played]
		if strings.Contains(turn.M, "x") || slices.ContainsFunc(now.snakes, stub) {
			break
		}
		before[played] = snapshot(&s)
		var moves [MaxSnakes]Move
		for i, letter := range turn.M {
			if index[i] >= 0 && letter != '.' {
				moves[index[i]] = Move(strings.IndexRune("udlr", letter))
			}
		}
		s.Step(&moves, &undos[played])
		now = v.ruled(at+played, now)
		v.check(t, &s, index, &now)
		if turn.Z != nil || turn.Y != nil || len(turn.N) > 0 { // the search knows of no such change
			played++
			break
		}
	}
	for k := played - 1; k >= 0; k-- {
		s.Undo(&undos[k])
		if got := snapshot(&s); !reflect.DeepEqual(got, before[k]) {
			t.Fatalf("%s: turn %d is not taken back:\n%v\nwant\n%v", v.ID, at+k, got, before[k])
		}
	}
	return played
}

// ruled is the situation after the rules of turn number at.
func (v *record) ruled(at int, now situation) situation {
	turn := &v.Turns[at]
	next := situation{snakes: turn.S, dead: slices.Clone(now.dead), causes: slices.Clone(now.causes),
		food: now.food, hazards: now.hazards}
	for _, e := range turn.E {
		next.dead[int(e[0].(float64))], next.causes[int(e[0].(float64))] = true, e[1].(string)
	}
	if turn.F != nil {
		next.food = *turn.F
	}
	return next
}

// after is the situation before the turn that follows turn number at.
func (v *record) after(at int, now situation) situation {
	turn := &v.Turns[at]
	next := v.ruled(at, now)
	next.food = append(slices.Clone(next.food), turn.N...)
	if turn.Z != nil {
		next.hazards = *turn.Z
	}
	if turn.Y != nil {
		next.hazards = *turn.Y
	}
	return next
}
