package arena

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// client talks to an arena in this process.
type client struct {
	t     *testing.T
	in    io.WriteCloser
	out   *bufio.Scanner
	ended chan struct{}
	exit  chan int
}

type message map[string]any

// start serves snakes by name: the weights' text is the name.
func start(t *testing.T, workers int, snakes map[string]Snake) *client {
	t.Helper()
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	c := &client{t: t, in: inWrite, out: bufio.NewScanner(outRead), ended: make(chan struct{}), exit: make(chan int, 16)}
	load := func(text []byte) (*player, error) {
		snake, known := snakes[string(text)]
		if !known {
			return nil, errors.New("weights:1: no such snake")
		}
		if snake == nil {
			panic("boom")
		}
		return &player{api: snake}, nil
	}
	go func() {
		defer close(c.ended)
		serve(inRead, outWrite, load, workers, func(code int) { c.exit <- code })
	}()
	t.Cleanup(func() {
		_ = inWrite.Close()
		_ = outRead.Close()
		<-c.ended
	})
	if m := c.read(); m["type"] != "hello" || m["protocol"] != "ouroboros-arena/1" || m["workers"] != float64(workers) {
		t.Fatalf("hello: %v", m)
	}
	for name := range snakes {
		if snakes[name] != nil {
			c.send(message{"type": "weights", "id": "id of " + name, "text": name})
			if m := c.read(); !reflect.DeepEqual(m, message{"type": "weights", "id": "id of " + name}) {
				t.Fatalf("weights: %v", m)
			}
		}
	}
	return c
}

func (c *client) send(m message) {
	c.t.Helper()
	text, err := json.Marshal(m)
	if err == nil {
		_, err = c.in.Write(append(text, '\n'))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read() (m message) {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatalf("no further line: %v", c.out.Err())
	}
	if err := json.Unmarshal(c.out.Bytes(), &m); err != nil {
		c.t.Fatal(err)
	}
	return m
}

func conditions() message {
	return message{"width": 11, "height": 11, "ruleset": "standard", "map": "standard", "timeout_ms": 5000, "max_turns": 1000,
		"numbers": message{"food_spawn_chance": 15, "minimum_food": 1, "hazard_damage_per_turn": 14,
			"shrink_every_n_turns": 25}}
}

func duel(id string, first, second string, seeds ...int64) message {
	return message{"type": "job", "id": id, "participants": []string{"id of " + first, "id of " + second},
		"rotations": [][]int{{0, 1}, {1, 0}}, "seeds": seeds, "conditions": conditions()}
}

// games reads a job's results up to its end, by number.
func (c *client) games(id string) map[int]message {
	c.t.Helper()
	games := map[int]message{}
	for {
		m := c.read()
		if m["type"] == "done" && m["job"] == id {
			return games
		}
		if m["type"] != "game" || m["job"] != id {
			c.t.Fatalf("in job %s: %v", id, m)
		}
		delete(m, "move_ms")
		games[int(m["game"].(float64))] = m
	}
}

// wander goes where there is room next turn, by a choice that hangs on the ids too.
func wander(s *State) string {
	salt := int(s.You.ID[0]) + s.Turn
	for i := range 4 {
		at := (salt + i) % 4
		dx, dy := [4]int{0, 0, -1, 1}[at], [4]int{1, -1, 0, 0}[at]
		to := Coord{s.You.Head.X + dx, s.You.Head.Y + dy}
		if to.X >= 0 && to.Y >= 0 && to.X < s.Board.Width && to.Y < s.Board.Height && !occupied(s, to) {
			return [4]string{"up", "down", "left", "right"}[at]
		}
	}
	return "up"
}

func occupied(s *State, at Coord) bool {
	return slices.ContainsFunc(s.Board.Snakes, func(b Battlesnake) bool { return slices.Contains(b.Body, at) })
}

func straight(word string) Snake { return func(*State) string { return word } }

func TestGamesAreTheSameOnAnyNumberOfWorkersAndEveryTime(t *testing.T) {
	snakes := map[string]Snake{"a": wander, "b": func(s *State) string {
		s.Turn += 3 // what a snake does to its state is its own affair
		s.Board.Snakes[0].Body[0] = Coord{}
		return wander(s)
	}}
	var seeds []int64
	for seed := range int64(20) {
		seeds = append(seeds, seed-3, 1<<62+seed)
	}
	want := start(t, 1, snakes)
	want.send(duel("j", "a", "b", seeds...))
	games := want.games("j")
	if len(games) != 80 || reflect.DeepEqual(games[0]["transcript"], games[2]["transcript"]) {
		t.Fatalf("%d games, %v %v", len(games), games[0], games[2])
	}
	for _, workers := range []int{1, 4} {
		c := start(t, workers, snakes)
		c.send(duel("j", "a", "b", seeds...))
		if got := c.games("j"); !reflect.DeepEqual(got, games) {
			t.Fatalf("%d workers play other games", workers)
		}
	}
}

func TestFailuresAreTheSnakesOwnAndItsLastMoveIsRepeated(t *testing.T) {
	late := make(chan struct{})
	defer close(late)
	snakes := map[string]Snake{"good": wander, "panics": func(s *State) string {
		if s.Turn == 0 {
			return "left"
		}
		panic("out of ideas")
	}, "stammers": func(s *State) string {
		if s.Turn == 0 {
			return "left"
		}
		return "LEFT"
	}, "left": straight("left")}
	snakes["hangs"] = func(s *State) string {
		if s.Turn == 1 {
			<-late
		}
		return "left"
	}
	c := start(t, 2, snakes)
	c.send(duel("want", "left", "good", 5))
	want := c.games("want")[0]["transcript"]
	for name, kind := range map[string]string{"panics": "crash", "stammers": "bad_move", "hangs": "timeout"} {
		job := duel(name, name, "good", 5)
		if name == "hangs" {
			job["conditions"].(message)["timeout_ms"] = 300
		}
		c.send(job)
		game := c.games(name)[0]
		failures, moves := game["failures"].([]any), game["failed_moves"].([]any)
		if failures[0] != kind || failures[1] != "" || moves[0] == 0.0 || moves[1] != 0.0 {
			t.Errorf("%s: %v", name, game)
		}
		if game["transcript"] != want {
			t.Errorf("%s played another game: %v", name, game)
		}
		if words := game["details"].([]any); kind == "crash" && words[0] != "out of ideas" {
			t.Errorf("%s: %v", name, words)
		}
	}
}

func TestSnakesThatNeverAnswerEndTheProcess(t *testing.T) {
	late := make(chan struct{})
	defer close(late)
	c := start(t, 1, map[string]Snake{"hangs": func(*State) string { <-late; return "up" }})
	job := duel("j", "hangs", "hangs", 1, 2, 3, 4, 5, 6, 7, 8, 9)
	job["conditions"].(message)["timeout_ms"] = 1
	c.send(job)
	for {
		m := c.read()
		if m["type"] == "game" {
			continue
		}
		if m["kind"] != "stuck" {
			t.Fatal(m)
		}
		break
	}
	if code := <-c.exit; code != 1 {
		t.Fatal(code)
	}
}

func TestWhatCannotBePlayedIsRefusedInWords(t *testing.T) {
	c := start(t, 1, map[string]Snake{"a": straight("up"), "boom": nil})
	change := func(key string, value any) message {
		job := duel("j", "a", "a", 1)
		job["conditions"].(message)[key] = value
		return job
	}
	with := func(key string, value any) message {
		job := duel("j", "a", "a", 1)
		job[key] = value
		return job
	}
	for _, one := range []struct {
		line       message
		kind, want string
	}{
		{change("ruleset", "squad"), "unplayable", "squad"},
		{change("map", "hz_rings"), "unplayable", "hz_rings"},
		{change("width", 26), "unplayable", "26x11"},
		{change("timeout_ms", 0), "unplayable", "timeout_ms"},
		{change("max_turns", 0), "unplayable", "max_turns"},
		{change("numbers", message{"minimum_food": 1 << 40}), "unplayable", "numbers"},
		{with("rotations", [][]int{{0, 1, 0, 1, 0, 1, 0, 1, 0}}), "unplayable", "9 seats"},
		{with("rotations", [][]int{{0, 2}}), "request", "participant 2"},
		{with("rotations", [][]int{}), "request", "rotations"},
		{with("seeds", []int64{}), "request", "seeds"},
		{with("conditions", nil), "request", "conditions"},
		{with("participants", []string{"id of a", "nobody"}), "request", "nobody"},
		{message{"type": "royale"}, "request", "royale"},
		{message{"type": "job", "seeds": "many"}, "request", "seeds"},
	} {
		c.send(one.line)
		m := c.read()
		if m["type"] != "error" || m["kind"] != one.kind || !strings.Contains(fmt.Sprint(m["error"]), one.want) {
			t.Errorf("%v: %v", one.line, m)
		}
	}
	for text, want := range map[string]string{"nobody": "weights:1: no such snake", "boom": "panicked: boom"} {
		c.send(message{"type": "weights", "id": "w", "text": text})
		if m := c.read(); m["id"] != "w" || !strings.Contains(fmt.Sprint(m["error"]), want) {
			t.Errorf("%s: %v", text, m)
		}
	}
	c.send(duel("j", "a", "a", 1))
	if games := c.games("j"); len(games) != 2 { // none of all that has left a mark
		t.Fatal(games)
	}
}

func TestACancelledJobSaysNothingMore(t *testing.T) {
	asked, goOn := make(chan struct{}, 1), make(chan struct{})
	c := start(t, 1, map[string]Snake{"a": straight("up"), "waits": func(*State) string {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-goOn
		return "up"
	}})
	c.send(duel("long", "waits", "a", 1, 2, 3))
	<-asked
	c.send(duel("next", "a", "a", 1))
	c.send(message{"type": "cancel", "job": "long"})
	if m := c.read(); m["type"] != "cancelled" || m["job"] != "long" {
		t.Fatal(m)
	}
	close(goOn)
	if games := c.games("next"); len(games) != 2 {
		t.Fatal(games)
	}
	c.send(message{"type": "cancel", "job": "next"})
	if m := c.read(); m["type"] != "cancelled" {
		t.Fatal(m)
	}
}

func TestForgottenWeightsServeTheJobsThatHaveThem(t *testing.T) {
	c := start(t, 1, map[string]Snake{"a": wander})
	c.send(duel("j", "a", "a", 1))
	c.send(message{"type": "forget", "id": "id of a"})
	if games := c.games("j"); len(games) != 2 {
		t.Fatal(games)
	}
	c.send(duel("k", "a", "a", 1))
	if m := c.read(); m["kind"] != "request" {
		t.Fatal(m)
	}
}

// A snake with types of its own reads what it would read over HTTP.
func TestFromJSON(t *testing.T) {
	var first map[string]any
	way := "left"
	own := FromJSON(func(text []byte) (string, error) {
		var body map[string]any
		if err := json.Unmarshal(text, &body); err != nil {
			return "", err
		}
		if first == nil {
			first = body
			if body["you"].(map[string]any)["head"].(map[string]any)["x"].(float64) < 5 {
				way = "right"
			}
		}
		if body["turn"] == 3.0 {
			return "", errors.New("no idea")
		}
		return way, nil
	})
	c := start(t, 1, map[string]Snake{"own": own, "a": wander})
	job := duel("j", "own", "a", 5)
	job["rotations"] = [][]int{{0, 1}}
	c.send(job)
	game := c.games("j")[0]
	you, board := first["you"].(map[string]any), first["board"].(map[string]any)
	if you["length"] != 3.0 || !reflect.DeepEqual(you["head"], you["body"].([]any)[0]) || first["turn"] != 0.0 ||
		len(board["food"].([]any)) != 3 || len(board["snakes"].([]any)) != 2 || len(board["hazards"].([]any)) != 0 {
		t.Errorf("%v", first)
	}
	if game["failures"].([]any)[0] != "crash" || game["failed_moves"].([]any)[0] != 1.0 ||
		game["details"].([]any)[0] != "no idea" {
		t.Errorf("%v", game)
	}
}

func TestAWatchedGameIsToldTurnByTurnAndNoOtherIs(t *testing.T) {
	straight := func(*State) string { return "up" }
	c := start(t, 1, map[string]Snake{"a": straight, "b": straight})
	c.send(message{"type": "watch"})
	c.send(duel("j", "a", "b", 71, 72))
	var turns []message
	var first message
	for first == nil {
		if m := c.read(); m["type"] == "turn" && m["job"] == "j" && m["game"] == float64(0) {
			turns = append(turns, m["frame"].(map[string]any))
		} else if m["type"] == "game" {
			first = m
		} else {
			t.Fatalf("%v", m)
		}
	}
	last := len(turns) - 1
	if first["game"] != float64(0) || float64(last) != first["turns"] || turns[last]["t"] != first["turns"] {
		t.Fatalf("%d turns are told of %v", len(turns), first)
	}
	bodies := turns[0]["b"].([]any)
	if len(bodies) != 2 || len(bodies[0].([]any)[1].([]any)) != 6 || len(turns[0]["f"].([]any)) == 0 {
		t.Errorf("the start is %v", turns[0])
	}
	for turn, frame := range turns[1:] {
		before, now := turns[turn]["s"].([]any)[0].([]any), frame["s"].([]any)
		if len(now) > 0 && now[0].([]any)[0] == before[0] && now[0].([]any)[4].(float64) != before[4].(float64)+1 {
			t.Errorf("turn %d: the head went from %v to %v", turn+1, before, now[0])
		}
		if frame["b"] != nil {
			t.Errorf("turn %d tells bodies again", turn+1)
		}
	}
	if games := c.games("j"); len(games) != 3 { // no turn among them: games fails on one
		t.Errorf("%d games more", len(games))
	}
}
