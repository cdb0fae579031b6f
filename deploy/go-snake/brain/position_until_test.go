package brain

import (
	"testing"
	"time"

	"ouroboros-arena/board"
)

// TestChooseUntil: with the time over, thinking ends at the next look at the clock; with time left the budget decides, as
// without a clock.
func TestChooseUntil(t *testing.T) {
	geo := board.GeometryOf(11, 11, false)
	var s board.State
	s.Reset(geo)
	for i := range 2 {
		c := int16(geo.Cell(3+4*i, 5))
		s.AddSnake(100, []int16{c, c + 11, c + 22})
	}
	s.AddFood(int16(geo.Cell(5, 5)))
	w := shipped(t, 300)
	var thinker Thinker
	if got := thinker.ChooseUntil(&s, 0, w, time.Now().Add(-time.Second)); got.Depth < 1 || got.Scored > 2*alarmEvery {
		t.Errorf("out of time: %+v", got)
	}
	want := thinker.Choose(&s, 0, w)
	if got := thinker.ChooseUntil(&s, 0, w, time.Now().Add(time.Hour)); got != want || want.Scored < 250 {
		t.Errorf("%+v, without a clock %+v", got, want)
	}
}
