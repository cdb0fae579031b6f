package selfplay

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ouroboros-snake/leafeval"
	"ouroboros-snake/weights"
)

func played(t *testing.T, seats int) string {
	t.Helper()
	var out bytes.Buffer
	plan := Plan{Games: 2, First: 7, Seats: seats, Positions: 30, Stray: 0.1}
	if err := Play(&out, plan, shipped(t), nil); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func shipped(t *testing.T) *weights.Weights {
	t.Helper()
	w, err := weights.ReadFile("../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestASeedIsAGameAndItsPositionsAreShown(t *testing.T) {
	for _, seats := range []int{2, 4} {
		games := played(t, seats)
		if games != played(t, seats) {
			t.Fatal("the same seeds gave other games")
		}
		var out bytes.Buffer
		if err := Show(strings.NewReader(games), &out, shipped(t), nil); err != nil {
			t.Fatal(err)
		}
		head, rows, _ := bytes.Cut(out.Bytes(), []byte("\n"))
		var told struct {
			Columns int
			Sum     uint32
		}
		if err := json.Unmarshal(head, &told); err != nil || told.Columns != Columns || told.Sum != leafeval.LegendSum() {
			t.Fatalf("%s, %v", head, err)
		}
		at := 0
		for number, line := range strings.Split(strings.TrimSpace(games), "\n") {
			var record Record
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatal(err)
			}
			if moves := len(record.Moves) - strings.Count(record.Moves, "-"); moves != len(record.Values) {
				t.Fatalf("%d values of %d moves", len(record.Values), moves)
			}
			values, asides := record.Values, record.Asides
			if len(asides) < 10 {
				t.Fatalf("%d asides", len(asides))
			}
			for range len(values) + len(asides) {
				row := rows[4*Columns*at:]
				cell := func(k int) int { return int(int32(binary.LittleEndian.Uint32(row[4*k:]))) }
				value := 0
				if cell(2) < 0 {
					value, asides = asides[0].Value, asides[1:]
				} else {
					value, values = values[0], values[1:]
				}
				if cell(0) != number || cell(1) < 2 || cell(1) > seats || cell(4) != value || cell(6) != 0 {
					t.Fatalf("row %d is of game %d with %d living and value %d", at, cell(0), cell(1), cell(4))
				}
				at++
			}
		}
		if len(rows) != 4*Columns*at {
			t.Fatalf("%d bytes of %d rows", len(rows), at)
		}
	}
}

func TestAGameThatDoesNotFitIsNamed(t *testing.T) {
	line, _, _ := strings.Cut(played(t, 2), "\n")
	for change, says := range map[[2]string]string{
		{`"format":"`, `"format":"x`}: "line 1 of the games is of format", {`"seats":2`, `"seats":9`}: "line 1 of the games",
		{`"moves":"`, `"moves":"x`}: "line 1 of the games has no move where a snake lives", {`"seed":7`, `"seed":8`}: "line 1",
		{`"values":[`, `"value":[`}: "fewer values", {`{`, ``}: "line 1",
		{`"asides":[{"turn":`, `"asides":[{"turn":999`}: "an aside of a turn", {`"asides":[{"turn":0,"seat":`, `"asides":[{"turn":0,"seat":7`}: "cannot be played",
	} {
		var out bytes.Buffer
		err := Show(strings.NewReader(strings.Replace(line, change[0], change[1], 1)), &out, shipped(t), nil)
		if err == nil || !strings.Contains(fmt.Sprint(err), says) {
			t.Errorf("%s: %v", change[1], err)
		}
	}
}
