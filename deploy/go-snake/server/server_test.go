package server

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
	"ouroboros-snake/brain"
	"ouroboros-snake/weights"
)

const request = `{"game":{"id":"g","ruleset":{"name":"standard","settings":{}},"timeout":500,"extra":[1]},"turn":3,` +
	`"board":{"width":11,"height":11,"food":[{"x":1,"y":5}],"hazards":[],"snakes":[` +
	`{"id":"a","name":"A","health":90,"body":[{"x":0,"y":5},{"x":0,"y":6},{"x":0,"y":7}]},` +
	`{"id":"b","name":"B","health":90,"body":[{"x":5,"y":5},{"x":5,"y":6},{"x":5,"y":7}]}]},"you":{"id":"a"}}`

// told records what the server tells its recorder.
type told struct {
	lock  sync.Mutex
	calls []string
}

func (r *told) note(call string, req *api.Request) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.calls = append(r.calls, call+" "+req.Game.ID)
}

func (r *told) Start(req *api.Request) { r.note("start", req) }
func (r *told) Move(req *api.Request, d *brain.Decision, took time.Duration) {
	r.note("move "+board.Words[d.Move], req)
	if d.Considered == 0 || d.Moves[0].Move != d.Move || took <= 0 {
		r.note("no thought", req)
	}
}
func (r *told) End(req *api.Request) error {
	r.note("end", req)
	return errors.New("disk is full")
}

func start(tb testing.TB, recorder Recorder, verbose, complaints *log.Logger) *httptest.Server {
	tb.Helper()
	w, err := weights.ReadFile("../config.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	srv := httptest.NewServer(New(w, nil, recorder, verbose, complaints).Handler())
	tb.Cleanup(srv.Close)
	return srv
}

func call(tb testing.TB, method, url, body string) (status int, answer string) {
	tb.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK && resp.Header.Get("Content-Type") != "application/json" {
		tb.Errorf("%s %s: content type %q", method, url, resp.Header.Get("Content-Type"))
	}
	return resp.StatusCode, string(text)
}

func TestAPI(t *testing.T) {
	var complaints, verbose strings.Builder
	recorder := new(told)
	srv := start(t, recorder, log.New(&verbose, "", 0), log.New(&complaints, "", 0))
	var info map[string]string
	_, text := call(t, "GET", srv.URL+"/", "")
	if err := json.Unmarshal([]byte(text), &info); err != nil || info["apiversion"] != "1" {
		t.Errorf("GET / gives %q, %v", text, err)
	}
	for _, key := range []string{"author", "color", "head", "tail", "version"} {
		if info[key] == "" {
			t.Errorf("GET / lacks %s", key)
		}
	}
	for _, path := range []string{"/start", "/move", "/end"} {
		status, answer := call(t, "POST", srv.URL+path, request)
		if status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, answer)
		}
		if path == "/move" && answer != `{"move":"right"}` { // onto the food, off the edge
			t.Errorf("/move gives %s", answer)
		}
	}
	if got := strings.Join(recorder.calls, ", "); got != "start g, move right g, end g" {
		t.Errorf("recorded: %s", got)
	}
	if !strings.Contains(complaints.String(), "game g was not recorded: disk is full") {
		t.Errorf("complaints: %q", complaints.String())
	}
	if !strings.Contains(verbose.String(), "game g turn 3: right") {
		t.Errorf("verbose: %q", verbose.String())
	}
}

func TestBadRequests(t *testing.T) {
	srv := start(t, nil, nil, log.New(io.Discard, "", 0))
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/move", "", 400, "byte 0"},
		{"POST", "/move", request[:100], 400, "byte 100"},
		{"POST", "/move", `{"turn":"three"}`, 400, "whole number"},
		{"POST", "/start", "nonsense", 400, "an object is missing"},
		{"POST", "/end", "{}}", 400, "text after"},
		{"POST", "/move", "{}", 400, "board of 0 x 0"},
		{"POST", "/move", strings.Replace(request, `"you":{"id":"a"}`, `"you":{"id":"c"}`, 1), 400, `"c"`},
		{"POST", "/move", strings.Repeat(" ", maxBody) + request, 413, "larger than"},
		{"GET", "/move", "", 405, ""},
		{"POST", "/", "", 405, ""},
		{"GET", "/elsewhere", "", 404, ""},
	} {
		status, answer := call(t, c.method, srv.URL+c.path, c.body)
		if status != c.status || !strings.Contains(answer, c.says) {
			t.Errorf("%s %s %.40q: %d %q, want %d with %q", c.method, c.path, c.body, status, answer, c.status, c.says)
		}
	}
	if status, _ := call(t, "POST", srv.URL+"/move", request); status != http.StatusOK {
		t.Errorf("after all that: %d", status)
	}
}

// TestSameAnswerUnderLoad asks one question from many connections at once.
func TestSameAnswerUnderLoad(t *testing.T) {
	srv := start(t, nil, nil, log.New(io.Discard, "", 0))
	var all sync.WaitGroup
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 25 {
				if _, answer := call(t, "POST", srv.URL+"/move", request); answer != `{"move":"right"}` {
					t.Errorf("got %s", answer)
				}
			}
		}()
	}
	all.Wait()
}

// BenchmarkHTTP measures whole requests over loopback, keep-alive, one after another; a busy body comes from testdata.
func BenchmarkHTTP(b *testing.B) {
	srv := start(b, nil, nil, log.New(io.Discard, "", 0))
	body, err := os.ReadFile("testdata/midgame.json")
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		call(b, "POST", srv.URL+"/move", string(body))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
