package server

import (
	"strconv"
	"testing"
	"time"

	"ouroboros-snake/api"
)

func asked(game string, timeout, latency int) *api.Request {
	req := &api.Request{Game: api.Game{ID: game, Timeout: timeout}, You: api.Snake{ID: "me"}}
	req.Board.Snakes = []api.Snake{{ID: "other", Latency: 400}, {ID: "me", Latency: latency}}
	return req
}

// TestPace: thought is a share of the timeout, and shrinks by what was lost on the way and by how late answers were.
func TestPace(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name             string
		timeout, latency int
		took, planned    time.Duration // of the answer before
		share            float64
		want             time.Duration
	}{
		{"a share", 500, 0, 0, 0, 0.4, 200 * ms},
		{"no timeout is named", 0, 0, 0, 0, 0.4, 200 * ms},
		{"a quick network changes nothing", 500, 230, 200 * ms, 200 * ms, 0.4, 200 * ms},
		{"never all of it", 500, 0, 0, 0, 0.99, 435 * ms},
		{"a slow network", 500, 450, 200 * ms, 200 * ms, 0.9, 185 * ms},
		{"a busy machine", 500, 0, 300 * ms, 200 * ms, 0.9, 235 * ms},
		{"both", 500, 400, 300 * ms, 200 * ms, 0.9, 135 * ms},
		{"hopeless", 100, 500, 50 * ms, 40 * ms, 0.4, 0},
		{"a latency without an answer of ours", 500, 450, 0, 0, 0.8, 400 * ms},
	} {
		var p pace
		now := time.Now()
		if c.took > 0 {
			p.until(asked("g", c.timeout, 0), now, c.share)
			p.answered(asked("g", c.timeout, 0), c.took, c.planned)
		}
		if got := p.until(asked("g", c.timeout, c.latency), now, c.share).Sub(now); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestPaceForgets: a delay is feared less with every move, games do not teach each other, and ended games leave nothing.
func TestPaceForgets(t *testing.T) {
	var p pace
	now := time.Now()
	think := func(game string) time.Duration { return p.until(asked(game, 500, 0), now, 0.9).Sub(now) }
	p.answered(asked("g", 500, 0), 300*time.Millisecond, 200*time.Millisecond)
	if slow, other := think("g"), think("h"); slow >= other {
		t.Errorf("the game with a late answer gets %v, another %v", slow, other)
	}
	before := think("g")
	p.answered(asked("g", 500, 0), 100*time.Millisecond, 200*time.Millisecond)
	if after := think("g"); after <= before {
		t.Errorf("an answer in time changes %v to %v", before, after)
	}
	p.ended(asked("g", 500, 0))
	if think("g") != think("h") {
		t.Error("an ended game is remembered")
	}
	for i := range 3 * maxCourses {
		think(strconv.Itoa(i))
	}
	if len(p.courses) > maxCourses {
		t.Errorf("%d games are remembered", len(p.courses))
	}
}
