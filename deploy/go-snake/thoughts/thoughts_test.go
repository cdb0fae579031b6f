package thoughts

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"ouroboros-snake/weights"
)

func shipped(t *testing.T) *weights.Weights {
	w, err := weights.ReadFile("../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// midgame is a /move request on one line.
func midgame(t *testing.T) string {
	request, err := os.ReadFile("../server/testdata/midgame.json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(request), "\n", " ")
}

func TestEachLineIsAnswered(t *testing.T) {
	w, line := shipped(t), midgame(t)
	var out bytes.Buffer
	if err := Tell(strings.NewReader(line+"\nno request\n"+line+"\n"), &out, w, 300, nil); err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(answers) != 3 || answers[0] != answers[2] {
		t.Fatalf("answers: %v", answers)
	}
	var first, second answer
	if json.Unmarshal([]byte(answers[0]), &first) != nil || json.Unmarshal([]byte(answers[1]), &second) != nil {
		t.Fatal(answers)
	}
	if first.Error != "" || first.Move == "" || len(first.Moves) == 0 || first.Moves[0].Scored == 0 {
		t.Fatalf("the first: %+v", first)
	}
	if second.Error == "" || second.Move != "" {
		t.Fatalf("no request: %+v", second)
	}
}

func TestEachLineIsAnsweredByItsMove(t *testing.T) {
	w, line := shipped(t), midgame(t)
	var told, chosen bytes.Buffer
	if err := Tell(strings.NewReader(line+"\n"), &told, w, 300, nil); err != nil {
		t.Fatal(err)
	}
	if err := Choose(strings.NewReader(line+"\nno request\n"+line), &chosen, w, 300, nil); err != nil {
		t.Fatal(err)
	}
	var said answer
	if err := json.Unmarshal(told.Bytes(), &said); err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(strings.TrimSpace(chosen.String()), "\n")
	if len(answers) != 3 || answers[0] != said.Move[:1] || answers[2] != answers[0] || !strings.HasPrefix(answers[1], "! ") {
		t.Fatalf("answers %q, but -think says %q", answers, said.Move)
	}
}

func TestAnswersAreWrittenBeforeMoreIsAsked(t *testing.T) {
	w := shipped(t)
	asked, ask := io.Pipe()
	answered, answer := io.Pipe()
	go func() { answer.CloseWithError(Choose(asked, answer, w, 30, nil)) }()
	lines := bufio.NewScanner(answered)
	for range 3 {
		if _, err := ask.Write([]byte("no request\nno request\n")); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || !lines.Scan() {
			t.Fatal("no two answers")
		}
	}
	ask.Close()
	if lines.Scan() {
		t.Fatalf("one more answer: %q", lines.Text())
	}
}
