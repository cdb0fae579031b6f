package brain

import (
	"encoding/binary"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"testing"

	"ouroboros-arena/board"
	"ouroboros-snake/leafeval"
)

var updateGolden = flag.Bool("update", false, "TestLeafValuesOfOfficialGames: write the golden file anew, for a newly fitted leaf.eval")

const goldenValues = "../leafeval/testdata/official_values.txt"

// TestLeafValuesOfOfficialGames computes features and both networks' values in all positions of the official games. The
// Rust snake's test (engine/tests/official_games.rs) computes them too: the same numbers, to the last bit.
func TestLeafValuesOfOfficialGames(t *testing.T) {
	learned, w := learnedOf(t, "../leaf.eval"), shipped(t, 100)
	sum, views := uint32(0), 0
	var shower Shower
	eachOfficialPosition(t, func(s *board.State) {
		for me := range s.Snakes {
			shown, _ := shower.Show(s, me, w)
			for k, v := range shown {
				if int(v) >= leafeval.Legend[k].Values {
					t.Fatalf("%s is %d, of %d values", leafeval.Legend[k].Name, v, leafeval.Legend[k].Values)
				}
			}
			line, _ := binary.Append(nil, binary.LittleEndian, shown)
			line, _ = binary.Append(line, binary.LittleEndian, []int32{learned.Duel.Evaluate(&shown), learned.Crowd.Evaluate(&shown)})
			sum = crc32.Update(sum, crc32.IEEETable, line)
			views++
		}
	})
	got := fmt.Sprintf("%d views, CRC-32 %08x of features and values\n", views, sum)
	if *updateGolden {
		if err := os.WriteFile(goldenValues, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenValues)
	if err != nil || got != string(want) || views < 5000 {
		t.Fatalf("%s%v, want %s(after fitting leaf.eval anew: go test ./brain -run LeafValues -update)", got, err, want)
	}
}

// TestTheLearnedEvaluationHelpsWhereItCovers plays by it where it was fitted, and by our own alone elsewhere.
func TestTheLearnedEvaluationHelpsWhereItCovers(t *testing.T) {
	w := shipped(t, 100)
	helped, plain := &Player{Learned: learnedOf(t, "../leaf.eval")}, new(Player)
	different := map[string]int{}
	for _, view := range corpus(t, w, 20) {
		kind := fmt.Sprintf("%s %d", view.Game.Ruleset.Name, view.Board.Width)
		different[kind] += 0
		if a, b := decide(t, helped, view, w), decide(t, plain, view, w); a.Value != b.Value {
			different[kind]++
		}
	}
	for kind, count := range different {
		// Royale is covered until its first hazard.
		if covered := kind == "standard 11"; (count > 0) != covered && kind != "royale 11" {
			t.Errorf("%s: %d decisions had another value", kind, count)
		}
	}
}
