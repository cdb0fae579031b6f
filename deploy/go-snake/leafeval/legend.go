// Package leafeval holds the learned evaluation of a search's leaves: what it is shown, its file, its arithmetic.
//
// A position is shown as Features small whole numbers, each of which picks one row of Lanes numbers of a table. The rows
// are summed; all lanes but the last are clipped to 0..ActivationOne, the last is passed on as it is; a weight for each
// lane makes one sum of them. It is whole-number arithmetic throughout, so that the Rust snake
// (deploy/rust-snake/engine/src/leaf_eval.rs) comes to the same number. pipeline/leaf_eval fits and writes the file.
package leafeval

import (
	"fmt"
	"hash/crc32"
	"strings"
)

// Sizes of a network.
const (
	// Features is how many numbers a position is shown as, each below the feature's own bound in Legend.
	Features = len(Legend)
	// Lanes is the length of a table's row.
	Lanes = 16
	// RowLimit bounds every number of a table, so that Features of them never leave 16 bits.
	RowLimit = 780
	// ActivationOne is the highest value of a clipped lane.
	ActivationOne = 256
	// PointShift: the last sum counts 2^-PointShift points.
	PointShift = 12
)

// Feature is a number that a position is shown as: a name and how many values it takes, from 0 on.
type Feature struct {
	Name   string
	Values int
}

// Legend says what the numbers are; brain/features.go computes them. "Him" is the opponent whose head is nearest.
var Legend = [...]Feature{
	{"my_room", 61}, {"my_breadth", 32}, {"my_near", 48}, {"my_food", 22}, {"my_tail", 26}, {"my_health", 26},
	{"my_corridors", 21}, {"my_exits", 5}, {"my_length", 32}, {"my_place", 64}, {"my_supply", 12}, {"my_parity", 16},
	{"my_urgency", 132},
	{"his_room", 61}, {"his_breadth", 32}, {"his_near", 48}, {"his_food", 22}, {"his_tail", 26}, {"his_health", 26},
	{"his_corridors", 21}, {"his_exits", 5}, {"his_length", 32}, {"his_place", 64}, {"his_supply", 12}, {"his_parity", 16},
	{"his_urgency", 132},
	{"lead", 25}, {"room_balance", 61}, {"near_balance", 49}, {"disputed", 21}, {"heads", 192}, {"food_race", 64},
	{"closing", 105}, {"facing", 72}, {"fill", 25}, {"food_on_board", 10}, {"living", 4}, {"lead_of_longest", 25},
	{"rivals_room", 31}, {"dangers", 4}, {"second_head", 48},
}

// LegendText is the legend as one text, a line a feature; LegendSum its CRC-32, by which a file says what it was made for.
func LegendText() string {
	var text strings.Builder
	for _, feature := range Legend {
		fmt.Fprintf(&text, "%s %d\n", feature.Name, feature.Values)
	}
	return text.String()
}

// LegendSum is the CRC-32 of LegendText.
func LegendSum() uint32 { return crc32.ChecksumIEEE([]byte(LegendText())) }
