package main

import (
	"bufio"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests run this program itself: the test binary becomes the snake when runSnake is set in its environment.
const runSnake = "OUROBOROS_TEST_RUN_SNAKE"

func TestMain(m *testing.M) {
	if os.Getenv(runSnake) != "" {
		main()
	}
	os.Exit(m.Run())
}

func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append([]string{runSnake + "=1"}, env...)
	return cmd
}

// launch starts the snake and returns its address once it says that it listens, and what follows on its stderr.
func launch(t *testing.T, env []string, args ...string) (cmd *exec.Cmd, address string, stderr *bufio.Reader) {
	t.Helper()
	cmd = command(t, env, args...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	stderr = bufio.NewReader(pipe)
	line, err := stderr.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "listening on ") {
		t.Fatalf("the snake says %q, %v", line, err)
	}
	return cmd, strings.TrimSpace(strings.TrimPrefix(line, "listening on ")), stderr
}

func post(t *testing.T, url, body string) string {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %q, %v", url, resp.StatusCode, text, err)
	}
	return string(text)
}

const snakes = `{"id":"a","name":"Me","health":90,"body":[{"x":0,"y":5},{"x":0,"y":6},{"x":0,"y":7}]}`

func board(turn, living string) string {
	return `{"game":{"id":"g","ruleset":{"name":"standard"}},"turn":` + turn + `,"board":{"width":11,"height":11,"snakes":[` +
		living + `],"food":[],"hazards":[]},"you":{"id":"a","name":"Me"}}`
}

func TestServesUntilTerminated(t *testing.T) {
	games := filepath.Join(t.TempDir(), "games")
	cmd, address, stderr := launch(t, []string{"PORT=0", "OUROBOROS_GAMES_DIR=" + games}, "-host", "127.0.0.1")
	url := "http://" + address
	rival := `,{"id":"b","name":"B","health":90,"body":[{"x":5,"y":5},{"x":5,"y":6},{"x":5,"y":7}]}`
	post(t, url+"/start", board("0", snakes+rival))
	if answer := post(t, url+"/move", board("0", snakes+rival)); !strings.Contains(answer, `"move":`) {
		t.Errorf("/move gives %s", answer)
	}
	post(t, url+"/end", board("1", snakes))
	files, err := filepath.Glob(games + "/Me-*.jsonl")
	if err != nil || len(files) != 1 {
		t.Fatalf("game files: %v, %v", files, err)
	}
	if text, err := os.ReadFile(files[0]); err != nil || !strings.Contains(string(text), `"outcome":"win"`) {
		t.Errorf("game log: %s, %v", text, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(stderr)
	if err := cmd.Wait(); err != nil || len(rest) != 0 {
		t.Errorf("ends with %v, saying %q", err, rest)
	}
}

// TestTerminatesInTime: a connection that never finishes its request must not hold the snake up. The deadline is the
// test's own, and long, so that a busy machine passes; a snake that waits for the connection would take 10 s.
func TestTerminatesInTime(t *testing.T) {
	cmd, address, _ := launch(t, nil, "-host", "127.0.0.1", "-port", "0")
	stalled := make(stalledBody)
	defer close(stalled)
	request, err := http.NewRequest("POST", "http://"+address+"/move", stalled)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if resp, err := http.DefaultTransport.RoundTrip(request); err == nil {
			resp.Body.Close()
		}
	}()
	post(t, "http://"+address+"/start", board("0", snakes))
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(8 * time.Second):
		t.Error("the snake still runs")
	}
}

// stalledBody is a request body of which nothing comes before the channel is closed.
type stalledBody chan struct{}

func (s stalledBody) Read([]byte) (int, error) {
	<-s
	return 0, io.EOF
}

func TestUsersFaults(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yaml")
	text := strings.Replace(string(embedded), "  room_need: ", "  room_need: soon # ", 1)
	if err := os.WriteFile(broken, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	_, taken, _ := launch(t, nil, "-host", "127.0.0.1", "-port", "0")
	port := taken[strings.LastIndex(taken, ":")+1:]
	for _, c := range []struct {
		says string
		env  []string
		args []string
	}{
		{`broken.yaml:`, nil, []string{"-config", broken}},
		{`"space.room_need" must be a finite number, not "soon"`, nil, []string{"-config", broken}},
		{"none.yaml", nil, []string{"-config", filepath.Join(dir, "none.yaml")}},
		{`port "eighty"`, []string{"PORT=eighty"}, nil},
		{"choose another port", nil, []string{"-host", "127.0.0.1", "-port", port}},
		{"OUROBOROS_SOCKET", []string{"OUROBOROS_SOCKET=/none/s", "PORT=0"}, []string{"-host", "127.0.0.1"}},
		{"unexpected argument", nil, []string{"serve"}},
		{"not defined: -speed", nil, []string{"-speed", "9"}},
		{"cannot make the folder", nil, []string{"-games-dir", filepath.Join(broken, "games")}},
	} {
		cmd := command(t, c.env, c.args...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(out), c.says) {
			t.Errorf("%v: %v, says %q, want %q", c.args, err, out, c.says)
		}
	}
}

// TestListensOnASocketToo: a referee on the same machine asks there, which costs less than loopback TCP.
func TestListensOnASocketToo(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	cmd, address, stderr := launch(t, []string{"OUROBOROS_SOCKET=" + socket}, "-host", "127.0.0.1", "-port", "0")
	if line, err := stderr.ReadString('\n'); err != nil || line != "listening on "+socket+"\n" {
		t.Fatalf("%q, %v", line, err)
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", socket)
	}}}
	for _, get := range []func(string) (*http.Response, error){client.Get, http.Get} {
		answer, err := get("http://" + address + "/")
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", answer, err)
		}
		_ = answer.Body.Close()
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket stays: %v", err)
	}
}

func TestLearnedEvaluationIsBuiltInUnlessToldOtherwise(t *testing.T) {
	var told strings.Builder
	complain := log.New(&told, "", 0)
	if learnedFrom("", complain) == nil || learnedFrom(noEval, complain) != nil || told.Len() > 0 {
		t.Fatalf("the built-in one, or none, is not what was asked for; told: %q", told.String())
	}
	if learnedFrom("missing.eval", complain) != nil || !strings.Contains(told.String(), "missing.eval") {
		t.Fatalf("a file that is not there was not named: %q", told.String())
	}
}
