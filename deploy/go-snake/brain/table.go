package brain

import (
	"math"
	"math/bits"
	"sync/atomic"

	"ouroboros-arena/board"
)

// bound says what a stored value is: exact, or only a limit of the true one.
type bound uint8

const (
	exact bound = iota + 1
	upper       // the true value is at most this
	lower       // the true value is at least this
)

// memory is what the table keeps of a position: its value looking depth turns ahead, my best move there, and the reply
// that spoilt that move most: reply by snake replier (nobody: no reply did worse than the predicted ones).
type memory struct {
	value   float64
	depth   int
	bound   bound
	move    board.Move
	reply   board.Move
	replier int
}

const nobody = 31

// Sizes of a table, in positions of 16 bytes each.
const (
	leastMemory = 1 << 8
	mostMemory  = 1 << 18
)

// table is the transposition table of one decision. A Battlesnake's body shows the way it came, so two ways to one
// position are rare once snakes are longer than the look ahead; what it mostly gives is the order in which the last,
// shallower look would have tried the moves. Each decision starts with an empty table, so that a decision depends on
// nothing but its position. Several thinkers may share it: each slot is two words that are only believed together.
type table struct {
	slots []slot
	mask  uint64
	age   uint64 // of this decision, 1 to 255: slots of other ages count as empty
}

type slot struct{ check, data atomic.Uint64 }

// prepare empties the table for a decision that may score so many positions.
func (t *table) prepare(positions int) {
	size := min(max(1<<bits.Len(uint(positions)), leastMemory), mostMemory)
	if size > len(t.slots) {
		t.slots, t.age = make([]slot, size), 0
	}
	t.mask = uint64(size - 1)
	if t.age++; t.age > math.MaxUint8 {
		clear(t.slots)
		t.age = 1
	}
}

// The data word: age in the lowest 8 bits, then 6 of depth, 2 of bound, 2 of move, 2 of reply, 5 of replier; the value,
// as a float32, is the upper half.
func (m *memory) pack(age uint64) uint64 {
	return age | uint64(m.depth)<<8 | uint64(m.bound)<<14 | uint64(m.move)<<16 | uint64(m.reply)<<18 |
		uint64(m.replier)<<20 | uint64(math.Float32bits(float32(m.value)))<<32
}

func unpack(data uint64) memory {
	return memory{value: float64(math.Float32frombits(uint32(data >> 32))), depth: int(data >> 8 & 63),
		bound: bound(data >> 14 & 3), move: board.Move(data >> 16 & 3), reply: board.Move(data >> 18 & 3),
		replier: int(data >> 20 & 31)}
}

// find is what is known of the position with this key.
func (t *table) find(key uint64) (memory, bool) {
	s := &t.slots[key&t.mask]
	data := s.data.Load()
	if data&math.MaxUint8 != t.age || s.check.Load()^data != key {
		return memory{}, false
	}
	return unpack(data), true
}

// keep stores what was found out. Of two positions in one place the one looked at deeper stays.
func (t *table) keep(key uint64, m memory) {
	s := &t.slots[key&t.mask]
	if old := s.data.Load(); old&math.MaxUint8 == t.age && int(old>>8&63) > m.depth && s.check.Load()^old != key {
		return
	}
	data := m.pack(t.age)
	s.data.Store(data)
	s.check.Store(key ^ data)
}

// keyOf names a position: bodies, healths, the food left, and the turn, counted from the root.
func keyOf(s *board.State, foods []int16) uint64 {
	key := uint64(s.Turn)
	for i := range s.Snakes {
		sn := &s.Snakes[i]
		if !sn.Alive {
			key = stir(key ^ 1)
			continue
		}
		body := uint64(sn.Health)<<32 | uint64(s.Stack(i))<<16 | uint64(sn.Length)
		for _, c := range s.Path(i) {
			body = (body ^ uint64(c)) * 0x9e3779b97f4a7c15
			body ^= body >> 29
		}
		key = stir(key ^ body)
	}
	left := uint64(0)
	for _, c := range foods {
		if left <<= 1; s.Food[c] {
			left = left*0x2545f4914f6cdd1d + uint64(c) + 1
		}
	}
	return stir(key ^ left)
}

// stir spreads every bit of v over all others (the finalizer of MurmurHash3).
func stir(v uint64) uint64 {
	v ^= v >> 33
	v *= 0xff51afd7ed558ccd
	v ^= v >> 33
	v *= 0xc4ceb9fe1a85ec53
	return v ^ v>>33
}
