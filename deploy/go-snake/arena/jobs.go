package arena

import (
	"fmt"
	"sync"
)

// job is a number of games under the same conditions: every seed in every rotation, game number = seed index times the
// number of rotations, plus the rotation's index.
type job struct {
	id         string
	players    []*player
	rotations  [][]int
	seeds      []int64
	conditions *Conditions
	// next is the first game that nobody plays yet; the queue's lock guards it.
	next int
	// unfinished counts the games without a result, dropped says that none is wanted; the lines' lock guards both.
	unfinished int
	dropped    bool
}

func (j *job) games() int { return len(j.seeds) * len(j.rotations) }

func (j *job) game(number int) (seed int64, rotation []int) {
	return j.seeds[number/len(j.rotations)], j.rotations[number%len(j.rotations)]
}

const (
	mostWeights = 1024
	mostGames   = 1_000_000 // of one job
	mostJobs    = 4096
)

// check says what is wrong with a job, and of which kind it is.
func (j *job) check() (kind string, err error) {
	if j.conditions == nil || len(j.seeds) == 0 || len(j.rotations) == 0 {
		return badRequest, fmt.Errorf("a job needs conditions, seeds and rotations")
	}
	if len(j.seeds) > mostGames || j.games() > mostGames {
		return badRequest, fmt.Errorf("%d seeds in %d rotations: a job has at most %d games", len(j.seeds),
			len(j.rotations), mostGames)
	}
	for _, rotation := range j.rotations {
		for _, participant := range rotation {
			if participant < 0 || participant >= len(j.players) {
				return badRequest, fmt.Errorf("the rotations name participant %d of %d", participant, len(j.players))
			}
		}
		// Whether there is room on the board may depend on the seed, the rest does not.
		if _, err := newGame(j.conditions, len(rotation), j.seeds[0]); err != nil {
			return unplayable, err
		}
	}
	return "", nil
}

// queue hands out games, the jobs in the order in which they came.
type queue struct {
	lock    sync.Mutex
	waiting *sync.Cond
	jobs    []*job
}

func newQueue() *queue {
	q := &queue{}
	q.waiting = sync.NewCond(&q.lock)
	return q
}

// add reports whether there was room.
func (q *queue) add(j *job) bool {
	q.lock.Lock()
	defer q.lock.Unlock()
	if len(q.jobs) >= mostJobs {
		return false
	}
	q.jobs = append(q.jobs, j)
	q.waiting.Broadcast()
	return true
}

// take waits for a game to play.
func (q *queue) take() (j *job, number int) {
	q.lock.Lock()
	defer q.lock.Unlock()
	for len(q.jobs) == 0 {
		q.waiting.Wait()
	}
	j = q.jobs[0]
	number = j.next
	j.next++
	if j.next == j.games() {
		q.jobs = q.jobs[1:]
	}
	return j, number
}

// remove takes away what nobody has begun to play.
func (q *queue) remove(j *job) {
	q.lock.Lock()
	defer q.lock.Unlock()
	for at, other := range q.jobs {
		if other == j {
			q.jobs = append(q.jobs[:at:at], q.jobs[at+1:]...)
			return
		}
	}
}
