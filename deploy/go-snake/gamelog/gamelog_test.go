package gamelog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
	"ouroboros-snake/brain"
)

// clock is the test's own time.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newClock() *clock { return &clock{time.Date(2026, 3, 1, 23, 59, 30, 0, time.UTC)} }

func open(t *testing.T, c *clock) (*Log, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "games")
	l, err := Open(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return l, dir
}

func points(xy ...int) (list []api.Point) {
	for i := 0; i < len(xy); i += 2 {
		list = append(list, api.Point{X: xy[i], Y: xy[i+1]})
	}
	return list
}

// request makes a board of the living snakes named in ids; "me" is you.
func request(game string, turn int, ids ...string) *api.Request {
	req := &api.Request{Turn: turn, Game: api.Game{ID: game, Map: "standard", Source: "test", Timeout: 500}}
	req.Game.Ruleset = api.Ruleset{Name: "standard", Settings: api.Settings{FoodSpawnChance: 15, MinimumFood: 1,
		HazardDamagePerTurn: 14, ShrinkEveryNTurns: 25}}
	req.Board.Width, req.Board.Height = 11, 7
	for k, id := range ids {
		req.Board.Snakes = append(req.Board.Snakes, api.Snake{ID: id, Name: "name of " + id, Health: 100 - turn,
			Body: points(k, turn+2, k, turn+1, k, turn)})
	}
	req.You = api.Snake{ID: "me", Name: "My/snake"}
	return req
}

func lines(t *testing.T, dir, name string) []header {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	var list []header
	for scan := bufio.NewScanner(bytes.NewReader(text)); scan.Scan(); {
		var h header
		if len(scan.Bytes()) > 0 {
			if err := json.Unmarshal(scan.Bytes(), &h); err != nil {
				t.Fatalf("line %q: %v", scan.Text(), err)
			}
			list = append(list, h)
		}
	}
	return list
}

func TestLineHoldsTheWholeGame(t *testing.T) {
	c := newClock()
	l, dir := open(t, c)
	l.Start(request("g1", 0, "you", "me"))
	for turn := range 3 {
		c.at = c.at.Add(time.Second)
		req := request("g1", turn, "you", "me")
		if turn >= 1 {
			req.Board.Food = points(5, 5)
			req.Board.Hazards = points(0, 0, 0, 0)
		}
		l.Move(req, nil, 0)
		l.Move(req, nil, 0) // a repeated request adds nothing
	}
	c.at = c.at.Add(time.Minute) // into the next day
	if err := l.End(request("g1", 5, "me")); err != nil {
		t.Fatal(err)
	}
	got := lines(t, dir, "My_snake-20260302.jsonl")
	want := header{Format: "ouroboros-game-log/1", GameID: "g1", Ruleset: "standard", Map: "standard", Source: "test",
		TimeoutMS: 500, Settings: settings{15, 1, 14, 25}, Width: 11, Height: 7, You: 1,
		Snakes: []snake{{"you", "name of you"}, {"me", "name of me"}}, Outcome: "win", Turns: 5,
		StartedAt: "2026-03-01T23:59:30.000Z", EndedAt: "2026-03-02T00:00:33.000Z",
		Frames: json.RawMessage(`[{"t":0,"s":[[0,100,3,0,2],[1,100,3,1,2]],"b":[[0,[0,2,0,1,0,0]],[1,[1,2,1,1,1,0]]]},` +
			`{"t":1,"s":[[0,99,3,0,3],[1,99,3,1,3]],"f":[5,5],"z":[0,0,0,0]},` +
			`{"t":2,"s":[[0,98,3,0,4],[1,98,3,1,4]]},` +
			`{"t":5,"s":[[1,95,3,0,7]],"b":[[1,[0,7,0,6,0,5]]],"f":[],"z":[]}]`)}
	if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestFramesTellThoughtsLatenciesAndShouts(t *testing.T) {
	l, dir := open(t, newClock())
	req := request("g1", 4, "you", "me")
	req.Board.Snakes[0].Latency, req.Board.Snakes[1].Latency = 31, 7
	req.Board.Snakes[0].Shout = "a \"b\" <c>" + strings.Repeat("ä", 200)
	decided := &brain.Decision{Move: board.Left, Value: -12.34, Depth: 9, Scored: 4000, Considered: 2}
	decided.Moves[0], decided.Moves[1] = brain.Valued{Move: board.Left, Value: -12.34}, brain.Valued{Move: board.Up, Value: math.Inf(-1)}
	l.Move(req, decided, 3456*time.Microsecond)
	if err := l.End(request("g1", 5, "me")); err != nil {
		t.Fatal(err)
	}
	var frames []struct {
		L [][2]int         `json:"l"`
		W [][2]interface{} `json:"w"`
		K json.RawMessage  `json:"k"`
	}
	if err := json.Unmarshal(lines(t, dir, "My_snake-20260301.jsonl")[0].Frames, &frames); err != nil {
		t.Fatal(err)
	}
	if want := `{"m":"left","v":-12.3,"d":9,"n":4000,"ms":3.5,"s":[["left",-12.3],["up",-1000000000000.0]]}`; string(frames[0].K) != want {
		t.Errorf("thought %s, want %s", frames[0].K, want)
	}
	if want := [][2]int{{0, 31}, {1, 7}}; !reflect.DeepEqual(frames[0].L, want) {
		t.Errorf("latencies %v, want %v", frames[0].L, want)
	}
	if words, _ := frames[0].W[0][1].(string); len(frames[0].W) != 1 || !strings.HasPrefix(words, `a "b" <c>ä`) || len(words) > maxShout+3 {
		t.Errorf("shouts %v", frames[0].W)
	}
	if frames[1].K != nil || frames[1].L != nil || frames[1].W != nil {
		t.Errorf("the last board tells %+v", frames[1])
	}
}

func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		start, end []string
		want       string
	}{
		{[]string{"me", "a"}, []string{"me"}, "win"},
		{[]string{"me", "a"}, []string{"a"}, "loss"},
		{[]string{"me", "a", "b"}, []string{"a", "b"}, "loss"},
		{[]string{"me", "a"}, nil, "draw"},
		{[]string{"me", "a"}, []string{"me", "a"}, "draw"},
		{[]string{"me"}, nil, "loss"},
		{[]string{"me"}, []string{"me"}, "draw"},
	} {
		l, dir := open(t, newClock())
		l.Move(request("g", 0, c.start...), nil, 0)
		if err := l.End(request("g", 1, c.end...)); err != nil {
			t.Fatal(err)
		}
		if got := lines(t, dir, "My_snake-20260301.jsonl")[0].Outcome; got != c.want {
			t.Errorf("%v then %v: %s, want %s", c.start, c.end, got, c.want)
		}
	}
}

func TestTornLineSpoilsNoOther(t *testing.T) {
	l, dir := open(t, newClock())
	name := filepath.Join(dir, "My_snake-20260301.jsonl")
	if err := os.WriteFile(name, []byte(`{"format":"ouro`), 0o644); err != nil {
		t.Fatal(err)
	}
	l.Move(request("g", 0, "me", "a"), nil, 0)
	if err := l.End(request("g", 1, "me")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	var h header
	if len(parts) != 2 || json.Unmarshal([]byte(parts[1]), &h) != nil || h.GameID != "g" {
		t.Errorf("file is %q", text)
	}
}

func TestManyGamesAtOnce(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	var all sync.WaitGroup
	for worker := range 4 { // as four processes that share the folder
		l, err := Open(dir, c.now)
		if err != nil {
			t.Fatal(err)
		}
		for game := range 20 {
			all.Add(1)
			go func() {
				defer all.Done()
				id := fmt.Sprintf("g%d-%d", worker, game)
				for turn := range 50 {
					l.Move(request(id, turn, "me", "a"), nil, 0)
				}
				if err := l.End(request(id, 50, "me")); err != nil {
					t.Error(err)
				}
			}()
		}
	}
	all.Wait()
	seen := map[string]bool{}
	for _, h := range lines(t, dir, "My_snake-20260301.jsonl") {
		seen[h.GameID] = true
	}
	if len(seen) != 80 {
		t.Errorf("%d of 80 games were kept", len(seen))
	}
}

func TestMemoryIsBounded(t *testing.T) {
	c := newClock()
	l, dir := open(t, c)
	l.Move(request("silent", 0, "me", "a"), nil, 0)
	c.at = c.at.Add(Patience + time.Second)
	l.Move(request("other", 0, "me", "a"), nil, 0)
	if len(l.games) != 1 {
		t.Errorf("%d games are kept after the first fell silent, want 1", len(l.games))
	}
	for i := range MaxGames + 10 {
		c.at = c.at.Add(time.Millisecond)
		l.Move(request(fmt.Sprint("g", i), 0, "me", "a"), nil, 0)
	}
	if len(l.games) != MaxGames || l.games[key{"g0", "me"}] != nil {
		t.Errorf("%d games are kept, want %d without the oldest", len(l.games), MaxGames)
	}
	if err := l.End(request("silent", 1, "me")); err != nil {
		t.Error(err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("a game of which nothing is known was written to %v", files)
	}
}

func TestHugeGameIsGivenUp(t *testing.T) {
	l, _ := open(t, newClock())
	big := request("g", 0, "me", "a")
	big.Board.Hazards = make([]api.Point, MaxGameBytes/4)
	l.Move(big, nil, 0)
	l.Move(request("g", 1, "me", "a"), nil, 0)
	if err := l.End(request("g", 2, "me")); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("got %v, want an error that tells the bound", err)
	}
}

func TestWriteErrorIsTold(t *testing.T) {
	l, dir := open(t, newClock())
	if err := os.Mkdir(filepath.Join(dir, "My_snake-20260301.jsonl"), 0o755); err != nil {
		t.Fatal(err)
	}
	l.Move(request("g", 0, "me", "a"), nil, 0)
	if err := l.End(request("g", 1, "me")); err == nil {
		t.Error("a folder in the file's place went unnoticed")
	}
}

func TestFileName(t *testing.T) {
	for name, want := range map[string]string{"": "snake", "..": "snake", "../x y": "_x_y", "a.B-9_": "a.B-9_",
		strings.Repeat("é", 100): strings.Repeat("_", 64)} {
		if got := fileName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}
