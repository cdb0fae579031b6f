package brain

import (
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
	"ouroboros-snake/weights"
)

// TestEveryWeightActs changes one weight at a time, strongly, and wants at least one decision of the corpus to change.
func TestEveryWeightActs(t *testing.T) {
	// So many positions are asked that each must be quick. By the crowd's values, in every game: among those of duels
	// there are some that others outweigh in every position there is.
	base := shipped(t, 60).Among(3, new(weights.Weights))
	views := corpus(t, base, 1)
	var player Player
	if len(views)%leap == 0 {
		t.Fatalf("%d positions: choose another leap", len(views))
	}
	usual := make([]board.Move, len(views))
	for i, view := range views {
		usual[i] = decide(t, &player, view, base).Move
	}
	changed := *base
	sections := reflect.ValueOf(&changed).Elem()
	for i := range sections.NumField() {
		section := sections.Field(i)
		if section.Kind() != reflect.Struct {
			continue // the crowd's are the same weights: TestCrowdsHaveWeightsOfTheirOwn
		}
		for k := range section.NumField() {
			field, value := section.Type().Field(k), section.Field(k)
			if field.Name == "TimeShare" || field.Name == "Threads" {
				continue // they act under the clock, which takes no part here: TestClockEndsThought, TestPace
			}
			before := reflect.New(value.Type()).Elem()
			before.Set(value)
			if !acts(t, &player, views, usual, &changed, field, value) {
				t.Errorf("weight %s.%s changes no decision in %d positions", sections.Type().Field(i).Tag.Get("yaml"),
					field.Tag.Get("yaml"), len(views))
			}
			value.Set(before)
		}
	}
}

// leap is a prime that divides no number of positions that occurs, so that leaps reach them all.
const leap = 7919

// acts tries strong changes of the weight that value points at, in w, until one changes a decision.
func acts(t *testing.T, p *Player, views []*api.Request, usual []board.Move, w *weights.Weights,
	field reflect.StructField, value reflect.Value) bool {
	t.Helper()
	for _, change := range strong(t, field, value) {
		value.Set(change)
		for k := range views { // in leaps, so that games of every kind come soon
			if i := k * leap % len(views); decide(t, p, views[i], w).Move != usual[i] {
				return true
			}
		}
	}
	return false
}

// strong lists values of the weight that lie far from the present one, within its range.
func strong(t *testing.T, field reflect.StructField, value reflect.Value) (list []reflect.Value) {
	t.Helper()
	add := func(v any) { list = append(list, reflect.ValueOf(v)) }
	switch field.Type.Kind() {
	case reflect.Bool:
		add(!value.Bool())
	case reflect.Int:
		low, high := span(t, field)
		now := int(value.Int())
		add(min(now*3, int(high)))
		add(int(low))
		if int(high) < 1000 { // the greatest budgets only take long
			add(int(high))
		}
	case reflect.Float64:
		low, high := span(t, field)
		now := value.Float()
		for _, v := range []float64{now * 4, high, low} {
			add(min(max(v, low), high))
		}
	}
	return list
}

func span(t *testing.T, field reflect.StructField) (low, high float64) {
	t.Helper()
	low, errLow := strconv.ParseFloat(field.Tag.Get("min"), 64)
	high, errHigh := strconv.ParseFloat(field.Tag.Get("max"), 64)
	if errLow != nil || errHigh != nil {
		t.Fatalf("%s has no range", field.Name)
	}
	return low, high
}

// TestCrowdsHaveWeightsOfTheirOwn: what the section `crowd` says decides among more than two, and nowhere else.
func TestCrowdsHaveWeightsOfTheirOwn(t *testing.T) {
	text, err := os.ReadFile("../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	common, _, _ := strings.Cut(string(text), "\ncrowd:\n")
	read := func(text string) *weights.Weights {
		w, err := weights.Parse("test", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		w.Search.DuelBudget, w.Search.CrowdBudget = 60, 60
		return w
	}
	meek := regexp.MustCompile(`(?m)^(  death:|  area_duel:|  win:) \S+`).ReplaceAllString(common, "${1} 1.0")
	usual, without := read(common), read(meek)
	with := read(common + "\ncrowd:\n  outcome.death: 1.0\n  space.area_duel: 1.0\n  outcome.win: 1.0\n")
	var player Player
	others := 0
	for _, view := range corpus(t, usual, 1) {
		want, other := decide(t, &player, view, usual), decide(t, &player, view, without)
		if len(view.Board.Snakes) > 2 {
			want, other = other, want
		}
		if got := decide(t, &player, view, with); got.Move != want.Move || got.Value != want.Value {
			t.Fatalf("%d snakes, turn %d: %v (%f), not %v (%f)", len(view.Board.Snakes), view.Turn, got.Move, got.Value,
				want.Move, want.Value)
		}
		if want.Move != other.Move {
			others++
		}
	}
	if others < 20 {
		t.Errorf("only %d decisions tell the two apart", others)
	}
}
