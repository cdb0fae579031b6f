package thoughts

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"ouroboros-snake/weights"
)

func TestEachLineIsAnswered(t *testing.T) {
	w, err := weights.ReadFile("../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	request, err := os.ReadFile("../server/testdata/midgame.json")
	if err != nil {
		t.Fatal(err)
	}
	line := strings.ReplaceAll(string(request), "\n", " ")
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
