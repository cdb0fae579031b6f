// Package server speaks the Battlesnake API over HTTP.
package server

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
	"ouroboros-snake/brain"
	"ouroboros-snake/leafeval"
	"ouroboros-snake/weights"
)

// maxBody bounds a request; the largest official boards stay below 100 KB.
const maxBody = 4 << 20

// about is the answer to GET /.
const about = `{"apiversion":"1","author":"ouroboros","color":"#1f6f5c","head":"evil","tail":"hook","version":"1.0.0"}`

// Recorder is told of every request of a game; *gamelog.Log is one.
type Recorder interface {
	Start(*api.Request)
	// Move also hears what was decided, and how long it took.
	Move(*api.Request, *brain.Decision, time.Duration)
	End(*api.Request) error
}

// Server answers requests by the weights it was given.
type Server struct {
	weights  *weights.Weights
	recorder Recorder // nil: games are not recorded
	verbose  *log.Logger
	errors   *log.Logger
	workers  sync.Pool
	pace     pace
	answers  [4][]byte
}

// worker is the memory one request in flight needs.
type worker struct {
	player  brain.Player
	request api.Request
	body    bytes.Buffer
	arrived time.Time
}

// New makes a server. learned and recorder may be nil; verbose may be nil, else every move is told to it; errors gets what went
// wrong.
func New(w *weights.Weights, learned *leafeval.Evaluation, recorder Recorder, verbose, errors *log.Logger) *Server {
	s := &Server{weights: w, recorder: recorder, verbose: verbose, errors: errors}
	s.workers.New = func() any { return &worker{player: brain.Player{Learned: learned}} }
	for m, word := range board.Words {
		s.answers[m] = []byte(`{"move":"` + word + `"}`)
	}
	return s
}

// Handler routes the API's four calls.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(out http.ResponseWriter, _ *http.Request) { reply(out, []byte(about)) })
	mux.HandleFunc("POST /start", s.serve(s.start))
	mux.HandleFunc("POST /move", s.serve(s.move))
	mux.HandleFunc("POST /end", s.serve(s.end))
	return mux
}

// serve reads and decodes the body, and answers 400 with the reason to whatever is no request.
func (s *Server) serve(act func(*worker) ([]byte, error)) http.HandlerFunc {
	return func(out http.ResponseWriter, in *http.Request) {
		w := s.workers.Get().(*worker)
		defer s.workers.Put(w)
		w.arrived = time.Now()
		w.body.Reset()
		if _, err := w.body.ReadFrom(io.LimitReader(in.Body, maxBody+1)); err != nil {
			http.Error(out, "body could not be read: "+err.Error(), http.StatusBadRequest)
			return
		}
		if w.body.Len() > maxBody {
			http.Error(out, fmt.Sprintf("body is larger than %d bytes", maxBody), http.StatusRequestEntityTooLarge)
			return
		}
		err := api.Decode(w.body.Bytes(), &w.request)
		var answer []byte
		if err == nil {
			answer, err = act(w)
		}
		if err != nil {
			http.Error(out, err.Error(), http.StatusBadRequest)
			return
		}
		reply(out, answer)
	}
}

func reply(out http.ResponseWriter, answer []byte) {
	out.Header()["Content-Type"] = jsonType
	_, _ = out.Write(answer) // a caller that has gone away needs no answer
}

var (
	jsonType = []string{"application/json"}
	accepted = []byte("{}")
)

func (s *Server) start(w *worker) ([]byte, error) {
	if s.recorder != nil {
		s.recorder.Start(&w.request)
	}
	return accepted, nil
}

func (s *Server) move(w *worker) ([]byte, error) {
	decision, err := s.think(w)
	if err != nil {
		return nil, err
	}
	if s.recorder != nil {
		s.recorder.Move(&w.request, &decision, time.Since(w.arrived))
	}
	if s.verbose != nil {
		s.verbose.Printf("game %s turn %d: %s, value %.1f, depth %d, %d positions, %v", w.request.Game.ID,
			w.request.Turn, board.Words[decision.Move], decision.Value, decision.Depth, decision.Scored, time.Since(w.arrived))
	}
	return s.answers[decision.Move], nil
}

// think chooses the move, by the clock if the weights give it a share of the time.
func (s *Server) think(w *worker) (brain.Decision, error) {
	share := s.weights.Search.TimeShare
	if share == 0 {
		return w.player.Move(&w.request, s.weights)
	}
	until := s.pace.until(&w.request, w.arrived, share)
	decision, err := w.player.MoveUntil(&w.request, s.weights, until)
	if err == nil {
		s.pace.answered(&w.request, time.Since(w.arrived), until.Sub(w.arrived))
	}
	return decision, err
}

// end answers even if the game could not be kept: that is ours to repair, not the caller's.
func (s *Server) end(w *worker) ([]byte, error) {
	s.pace.ended(&w.request)
	if s.recorder != nil {
		if err := s.recorder.End(&w.request); err != nil {
			s.errors.Printf("game %s was not recorded: %v", w.request.Game.ID, err)
		}
	}
	return accepted, nil
}
