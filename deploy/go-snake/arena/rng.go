package arena

import "math/bits"

// Random numbers are a pure function of (game seed, turn, purpose, index), the same as in the Python engine
// (pipeline/engine/rng.py): SplitMix64's finaliser (Steele, Lea, Flood: "Fast splittable pseudorandom number
// generators", OOPSLA 2014), applied once to (seed, turn) and once per draw to (purpose, index).

// Purposes: each kind of draw has its own stream.
const (
	startsPurpose = iota + 1
	startFoodPurpose
	foodDicePurpose
	foodCellPurpose
	hazardMapPurpose
)

const (
	golden      = 0x9E3779B97F4A7C15
	turnStep    = 0xD1342543DE82EF95
	purposeStep = 0xA0761D6478BD642F
)

func mix(v uint64) uint64 {
	v = (v ^ (v >> 30)) * 0xBF58476D1CE4E5B9
	v = (v ^ (v >> 27)) * 0x94D049BB133111EB
	return v ^ (v >> 31)
}

// stream is the key of one kind of draws of one turn.
type stream uint64

func streamOf(seed int64, turn, purpose int) stream {
	return stream(mix(uint64(seed)+uint64(turn)*turnStep+golden) + uint64(purpose)*purposeStep)
}

// draw is number index of the stream, uniform in 0 .. bound - 1.
func (s stream) draw(index, bound int) int {
	high, low := bits.Mul64(mix(uint64(s)+uint64(index)*golden)>>32, uint64(bound))
	return int(high<<32 | low>>32)
}
