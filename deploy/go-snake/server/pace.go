package server

import (
	"sync"
	"time"

	"ouroboros-snake/api"
)

const (
	// usualTimeout is assumed when a request names none; it is what official games use.
	usualTimeout = 500 * time.Millisecond
	// reserve is kept free of every timeout beyond what was measured, and so is reserveShare of it.
	reserve      = 15 * time.Millisecond
	reserveShare = 0.1
	// fading is how much of a measured delay is still feared a move later.
	fading = 0.95
	// maxCourses bounds the games whose delays are remembered at once.
	maxCourses = 512
)

// pace says how long a move may be thought about, so that the answer is in time: it learns from each game's requests
// what is lost on the way (network, the caller, a busy machine) beyond the time that was meant to be thought.
type pace struct {
	lock    sync.Mutex
	courses map[string]*course
}

// course is what one snake of one game has taught.
type course struct {
	last time.Duration // from the last request's arrival to its answer
	way  time.Duration // lost outside this program: the latency the caller measured, less last
	late time.Duration // by which answers came later than was planned
}

// until is when thinking about the request that arrived at the given time has to end. share is of the game's timeout.
func (p *pace) until(req *api.Request, arrived time.Time, share float64) time.Time {
	timeout := time.Duration(req.Game.Timeout) * time.Millisecond
	if timeout <= 0 {
		timeout = usualTimeout
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	c := p.course(req)
	if waited := latency(req); waited > 0 && c.last > 0 {
		c.way = max(waited-c.last, scaled(c.way, fading))
	}
	most := timeout - c.way - 2*c.late - reserve - scaled(timeout, reserveShare)
	return arrived.Add(max(min(scaled(timeout, share), most), 0))
}

// answered notes how long a request took, of which so much was planned.
func (p *pace) answered(req *api.Request, took, planned time.Duration) {
	p.lock.Lock()
	defer p.lock.Unlock()
	c := p.course(req)
	c.last, c.late = took, max(took-planned, scaled(c.late, fading), 0)
}

// ended forgets a game.
func (p *pace) ended(req *api.Request) {
	p.lock.Lock()
	defer p.lock.Unlock()
	delete(p.courses, courseKey(req))
}

// course is the memory of the request's game, for which the caller holds the lock. If too many games never ended, all
// are forgotten: what they taught is soon learnt again.
func (p *pace) course(req *api.Request) *course {
	key := courseKey(req)
	c := p.courses[key]
	if c == nil {
		if p.courses == nil || len(p.courses) >= maxCourses {
			p.courses = map[string]*course{}
		}
		c = new(course)
		p.courses[key] = c
	}
	return c
}

func courseKey(req *api.Request) string { return req.Game.ID + "/" + req.You.ID }

// latency is how long the caller says it waited for our last answer, 0 if it does not.
func latency(req *api.Request) time.Duration {
	ms := req.You.Latency
	for i := range req.Board.Snakes {
		if sn := &req.Board.Snakes[i]; sn.ID == req.You.ID && sn.Latency > 0 {
			ms = sn.Latency
		}
	}
	return time.Duration(ms) * time.Millisecond
}

func scaled(d time.Duration, by float64) time.Duration { return time.Duration(float64(d) * by) }
