package arena

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// asker runs one move function after another on a goroutine of its own, so that one that comes late, or never, does
// not hold its game up. One goroutine at a time may ask it.
type asker struct {
	calls   chan func() answer
	answers chan answer
	// late counts the calls given up on that have not come back, over all askers.
	late *atomic.Int32
}

// tracesTold bounds how many panics are told with their trace.
const tracesTold = 5

var panics atomic.Int32

func newAsker(late *atomic.Int32) *asker {
	a := &asker{late: late}
	a.renew()
	return a
}

func (a *asker) renew() {
	// The answer's buffer lets a late call end though nobody waits for it any more.
	a.calls, a.answers = make(chan func() answer), make(chan answer, 1)
	go answerCalls(a.calls, a.answers, a.late)
}

func answerCalls(calls <-chan func() answer, answers chan<- answer, late *atomic.Int32) {
	for call := range calls {
		answers <- guarded(call)
	}
	late.Add(-1) // closed only when a call was given up on
}

// guarded turns a panic into a failure.
func guarded(call func() answer) (got answer) {
	defer func() {
		if reason := recover(); reason != nil {
			got = answer{failure: crashed, detail: fmt.Sprintf("%.300s", fmt.Sprint(reason))}
			if panics.Add(1) <= tracesTold {
				fmt.Fprintf(os.Stderr, "ouroboros-arena: a move function panicked: %v\n%s", reason, debug.Stack())
			}
		}
	}()
	return call()
}

// ask returns the answer, a time-out if it takes longer, and how long it took. kept reports that the call has ended,
// so that its memory is the caller's again.
func (a *asker) ask(call func() answer, timeout time.Duration) (got answer, took time.Duration, kept bool) {
	began := time.Now()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	a.calls <- call
	select {
	case got = <-a.answers:
		took = time.Since(began)
		kept = true
	case <-timer.C:
		took = time.Since(began)
		a.late.Add(1)
		close(a.calls)
		a.renew()
	}
	if took > timeout {
		got = answer{failure: timedOut, detail: fmt.Sprintf("no move within %v", timeout)}
	}
	return got, took, kept
}
