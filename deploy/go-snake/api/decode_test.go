package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

const sample = `{
  "game": {"id": "g\u00e9 \"1\"", "ruleset": {"name": "royale", "version": "cli", "settings": {"foodSpawnChance": 15,
    "minimumFood": 1, "hazardDamagePerTurn": -14, "hazardMap": "", "royale": {"shrinkEveryNTurns": 25},
    "squad": {"allowBodyCollisions": false}}}, "map": "royale", "timeout": 500, "source": "ladder"},
  "turn": 17,
  "board": {"height": 11, "width": 19, "food": [{"x": 5, "y": 6}, {"x": 0, "y": 0}], "hazards": [{"y": 2, "x": -1}],
    "snakes": [{"id": "s1", "name": "Ünï", "latency": "12", "health": 90, "body": [{"x": 1, "y": 2}, {"x": 1, "y": 1}],
      "head": {"x": 1, "y": 2}, "length": 2, "shout": "", "squad": "",
      "customizations": {"color": "#888888", "head": "default", "tail": null, "more": [1.5e3, true, {}, []]}}]},
  "you": {"id": "s1", "health": 90, "body": [{"x": 1, "y": 2}]}
}`

func TestDecodeSample(t *testing.T) {
	var got Request
	if err := Decode([]byte(sample), &got); err != nil {
		t.Fatal(err)
	}
	want := Request{Turn: 17,
		Game: Game{ID: `gé "1"`, Map: "royale", Source: "ladder", Timeout: 500,
			Ruleset: Ruleset{Name: "royale", Settings: Settings{15, 1, -14, 25}}},
		Board: Board{Width: 19, Height: 11, Food: []Point{{5, 6}, {0, 0}}, Hazards: []Point{{-1, 2}},
			Snakes: []Snake{{ID: "s1", Name: "Ünï", Health: 90, Latency: 12, Body: []Point{{1, 2}, {1, 1}}}}},
		You: Snake{ID: "s1", Health: 90, Body: []Point{{1, 2}}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, text := range []string{"", "null x", "[]", "{", `{"turn":1.0}`, `{"turn":01}`, `{"turn":"1"}`, `{"turn":1e2}`,
		`{"turn":9999999999}`, `{"turn":-}`, `{"turn":1,}`, `{"board":{"snakes":{}}}`, `{"you":{"id":1}}`, "{\"a\":\"\n\"}",
		`{"a":tru}`, `{"a":--1}`, `{"a" 1}`, `{"a":1 "b":2}`, `{"game":{"id":"\x"}}`, `{"turn":1}}`,
		`{"board":{"food":[{"x":1}`, `{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}"} {
		var req Request
		if err := Decode([]byte(text), &req); err == nil {
			t.Errorf("%.60q was accepted as %+v", text, req)
		}
	}
}

// TestDecodeReuse checks that nothing of an earlier request shines through a later one.
func TestDecodeReuse(t *testing.T) {
	var used, fresh Request
	small := []byte(`{"board":{"snakes":[{"id":"x"}],"food":[{"y":3}]}}`)
	for _, text := range [][]byte{[]byte(sample), small} {
		if err := Decode(text, &used); err != nil {
			t.Fatal(err)
		}
	}
	if err := Decode(small, &fresh); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(plain(used), plain(fresh)) {
		t.Errorf("got %+v, want %+v", used, fresh)
	}
}

// FuzzDecode holds Decode to encoding/json: the same texts are accepted, and the same values come out.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{sample, `{}`, `null`, `{"turn":null,"board":null,"you":{"body":null}}`,
		`{"turn":-0,"turn":5}`, `{"turn":"x","turn":5}`, `{"board":{"snakes":[null,{"id":null}],"food":[null]}}`, `{"board":{"width":3},"board":{}}`,
		`{"you":{"id":"\ud83d\ude00\ud83d"}}`, "{\"you\":{\"name\":\"\xff\"}}", `{"you":{"latency":"-3"}}`,
		`{"you":{"latency":[4]}}`, `{"you":{"latency":"99999999999"}}`, `{"board":{"snakes":[{"latency":" 5"}]}}`, `{"Turn":4,"x":[[],{"y":-1.5E+3}]}`,
		`{"game":{"ruleset":{"settings":{"royale":{"shrinkEveryNTurns":1},"royale":{}}}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got Request
		err := Decode(text, &got)
		want, wantErr := slowDecode(text)
		if nested(text) > 900 { // there the two may differ on purpose
			return
		}
		if err != nil && wantErr == nil && repeatsKeys(text) { // Decode refuses wrong types in the earlier ones as well
			return
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: Decode says %v, encoding/json %v", text, err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(plain(got), plain(want)) {
			t.Fatalf("%q: Decode gives %+v, encoding/json %+v", text, got, want)
		}
	})
}

func nested(text []byte) int { return bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{")) }

// repeatsKeys reports whether some object names a key twice: then parsing drops part of the text.
func repeatsKeys(text []byte) bool {
	var value any
	if json.Unmarshal(text, &value) != nil {
		return false
	}
	once, err := json.Marshal(value)
	return err == nil && tokens(once) < tokens(text)
}

func tokens(text []byte) (n int) {
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; n++ {
		if _, err := decoder.Token(); err != nil {
			return n
		}
	}
}

// plain gives empty and absent lists one form.
func plain(r Request) Request {
	list := func(p []Point) []Point {
		if len(p) == 0 {
			return nil
		}
		return p
	}
	r.Board.Food, r.Board.Hazards, r.You.Body = list(r.Board.Food), list(r.Board.Hazards), list(r.You.Body)
	if len(r.Board.Snakes) == 0 {
		r.Board.Snakes = nil
	}
	for i := range r.Board.Snakes {
		r.Board.Snakes[i].Body = list(r.Board.Snakes[i].Body)
	}
	return r
}

var errType = errors.New("wrong type")

// slowDecode is Decode by way of encoding/json's untyped values, which keep keys as they are written.
func slowDecode(text []byte) (req Request, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if !json.Valid(text) || decoder.Decode(&value) != nil {
		return req, errType
	}
	defer func() {
		if recover() != nil {
			err = errType
		}
	}()
	top := object(value)
	game, board := object(top["game"]), object(top["board"])
	rules := object(game["ruleset"])
	settings := object(rules["settings"])
	req.Turn = number(top["turn"])
	req.Game = Game{ID: word(game["id"]), Map: word(game["map"]), Source: word(game["source"]),
		Timeout: number(game["timeout"]), Ruleset: Ruleset{Name: word(rules["name"]), Settings: Settings{
			FoodSpawnChance: number(settings["foodSpawnChance"]), MinimumFood: number(settings["minimumFood"]),
			HazardDamagePerTurn: number(settings["hazardDamagePerTurn"]),
			ShrinkEveryNTurns:   number(object(settings["royale"])["shrinkEveryNTurns"])}}}
	req.Board = Board{Width: number(board["width"]), Height: number(board["height"]), Food: places(board["food"]),
		Hazards: places(board["hazards"])}
	for _, s := range items(board["snakes"]) {
		req.Board.Snakes = append(req.Board.Snakes, creature(s))
	}
	req.You = creature(top["you"])
	return req, nil
}

func creature(v any) Snake {
	o := object(v)
	said, _ := o["latency"].(string)
	return Snake{ID: word(o["id"]), Name: word(o["name"]), Health: number(o["health"]), Latency: milliseconds(said),
		Body: places(o["body"])}
}

func places(v any) (list []Point) {
	for _, item := range items(v) {
		o := object(item)
		list = append(list, Point{number(o["x"]), number(o["y"])})
	}
	return list
}

func object(v any) map[string]any {
	if v == nil {
		return nil
	}
	return v.(map[string]any)
}

func items(v any) []any {
	if v == nil {
		return nil
	}
	return v.([]any)
}

func word(v any) string {
	if v == nil {
		return ""
	}
	return v.(string)
}

func number(v any) int {
	if v == nil {
		return 0
	}
	digits := string(v.(json.Number))
	n, err := strconv.Atoi(digits)
	if err != nil || len(strings.TrimPrefix(digits, "-")) > 9 {
		panic(errType)
	}
	return n
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	var req Request
	for range b.N {
		if err := Decode([]byte(sample), &req); err != nil {
			b.Fatal(err)
		}
	}
}
