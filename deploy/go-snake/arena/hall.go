package arena

import (
	"sync/atomic"

	"ouroboros-arena/board"
)

// mostLate is how many move calls may be given up on and still run, for each worker: they take the others' time.
const mostLate = 8

// hall plays the games of its queue with a fixed number of workers, each one game at a time from start to end: as many
// games at once as cores, so that no move waits for another's, and memory is bounded whatever is asked for.
type hall struct {
	queue *queue
	out   *lines
	late  atomic.Int32
	limit int32
	// watch says that somebody wants to see the game that begins next, turn by turn.
	watch atomic.Bool
	exit  func(code int)
}

func newHall(out *lines, workers int, exit func(code int)) *hall {
	h := &hall{queue: newQueue(), out: out, limit: int32(workers * mostLate), exit: exit}
	for range workers {
		go h.work()
	}
	return h
}

func (h *hall) work() {
	w := &worker{asker: newAsker(&h.late), view: new(board.State)}
	for {
		j, number := h.queue.take()
		seed, rotation := j.game(number)
		if h.dropped(j) {
			continue
		}
		g, err := newGame(j.conditions, len(rotation), seed)
		if err != nil { // room that the first seed had and this one has not
			h.fail(j, err)
			continue
		}
		if r := h.play(w, j, number, g, rotation); r != nil {
			h.finish(j, r)
		}
	}
}

// worker is the memory of one game at a time.
type worker struct {
	asker *asker
	view  *board.State
	moves [board.MaxSnakes]board.Move
}

// play plays a game to its end; nil: its job was dropped meanwhile.
func (h *hall) play(w *worker, j *job, number int, g *game, rotation []int) *result {
	who := identityOf(g.seed, rotation)
	r := newResult(j, number, g, rotation)
	watched := h.watch.CompareAndSwap(true, false)
	if watched {
		h.tell(j, number, g)
	}
	clear(w.moves[:]) // up is what a snake plays that never gave a move
	for !g.over() {
		if h.dropped(j) {
			return nil
		}
		for seat, participant := range rotation {
			if g.state.Snakes[seat].Alive {
				w.move(j.players[participant], g, &who, seat, r)
			}
		}
		if h.late.Load() > h.limit {
			h.out.say(note{Type: "error", Kind: stuck, Error: "too many move functions did not come back in time; " +
				"the snake must answer within the time-out, or be played over HTTP"})
			h.exit(1)
		}
		g.play(&w.moves)
		if watched {
			h.tell(j, number, g)
		}
	}
	r.close(g)
	return r
}

// move asks one snake and writes its move; one that fails repeats its last valid move, as with the referee.
func (w *worker) move(p *player, g *game, who *identity, seat int, r *result) {
	got, took, kept := w.asker.ask(p.question(g, who, seat, w.view), g.conditions.timeout())
	if !kept {
		w.view = new(board.State)
	}
	r.asked[seat]++
	r.MoveMs[seat] += took.Seconds() * 1000
	if got.failure == "" {
		w.moves[seat] = got.move
		return
	}
	r.FailedMoves[seat]++
	if r.Failures[seat] == "" {
		r.Failures[seat], r.Details[seat] = got.failure, got.detail
	}
}

func newResult(j *job, number int, g *game, rotation []int) *result {
	return &result{Type: "game", Job: j.id, Game: number, Seed: g.seed, Rotation: rotation, Failures: make([]failure, g.seats),
		Details: make([]string, g.seats), FailedMoves: make([]int, g.seats), MoveMs: make([]float64, g.seats),
		asked: make([]int, g.seats)}
}

// close fills in what the end of the game says.
func (r *result) close(g *game) {
	r.Scores, r.Turns, r.Transcript, r.DiedOn = g.scores(), g.turn, g.hash(), g.diedOn
	for seat := range g.seats {
		r.Lengths = append(r.Lengths, g.length(seat))
		r.Causes = append(r.Causes, board.CauseWords[g.state.Snakes[seat].Cause])
		r.MoveMs[seat] /= float64(max(r.asked[seat], 1))
	}
}

func (h *hall) dropped(j *job) bool {
	h.out.lock.Lock()
	defer h.out.lock.Unlock()
	return j.dropped
}

// finish tells a result, and the end of its job after the last.
func (h *hall) finish(j *job, r *result) {
	h.out.lock.Lock()
	defer h.out.lock.Unlock()
	if j.dropped {
		return
	}
	h.out.write(r)
	j.unfinished--
	if j.unfinished == 0 {
		h.out.write(note{Type: "done", Job: j.id})
	}
}

// fail drops a job that turned out to be unplayable.
func (h *hall) fail(j *job, err error) {
	h.queue.remove(j)
	h.out.lock.Lock()
	defer h.out.lock.Unlock()
	if !j.dropped {
		j.dropped = true
		h.out.write(note{Type: "error", Job: j.id, Kind: unplayable, Error: err.Error()})
	}
}

// drop makes sure that no line of a job goes out any more.
func (h *hall) drop(j *job) {
	h.queue.remove(j)
	h.out.lock.Lock()
	defer h.out.lock.Unlock()
	j.dropped = true
}
