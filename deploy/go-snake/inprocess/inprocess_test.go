package inprocess

import (
	"os"
	"regexp"
	"testing"
	"time"

	"ouroboros-arena"
	"ouroboros-arena/board"

	"ouroboros-snake/leafeval"
)

func position(timeout time.Duration) *arena.Position {
	geo := board.GeometryOf(11, 11, false)
	p := &arena.Position{Board: new(board.State), Me: 1, Timeout: timeout}
	p.Board.Reset(geo)
	for i := range 2 {
		c := geo.Cell(3+4*i, 5)
		p.Board.AddSnake(100, []int16{int16(c), int16(c + 11), int16(c + 22)})
	}
	p.Board.AddFood(int16(geo.Cell(5, 5)))
	return p
}

func load(t *testing.T, changes map[string]string) arena.BoardSnake {
	t.Helper()
	text, err := os.ReadFile("../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range changes {
		line := regexp.MustCompile(`(?m)^(  ` + key + `:) *[0-9.]+`)
		if !line.Match(text) {
			t.Fatalf("no key %s", key)
		}
		text = line.ReplaceAll(text, []byte("${1} "+value))
	}
	snake, err := Loader(func() *leafeval.Evaluation { return nil })(text)
	if err != nil {
		t.Fatal(err)
	}
	return snake
}

func TestWithoutAClockTheSameMoveComesEveryTime(t *testing.T) {
	snake := load(t, map[string]string{"time_share": "0.0"})
	want := snake(position(time.Millisecond))
	for range 20 {
		if got := snake(position(time.Millisecond)); got != want {
			t.Fatalf("%v, then %v", want, got)
		}
	}
}
