package arena

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// BLAKE2b by RFC 7693, since Go's library has none: the referee's ids and transcript hashes are BLAKE2b's, and a
// user's snake must not need a network for a dependency.

var blakeStart = [8]uint64{0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179}

var blakeOrder = [10][16]uint8{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
	{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
	{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
	{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
	{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
	{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
	{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
	{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
	{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
}

const blakeBlock = 128

// blake2b128 is the BLAKE2b digest of 16 bytes, personalised (RFC 7693's parameter block, at most 16 bytes of person).
func blake2b128(text []byte, person string) (digest [16]byte) {
	state := blakeStart
	state[0] ^= 0x01010000 ^ 16
	var personal [16]byte
	copy(personal[:], person)
	state[6] ^= binary.LittleEndian.Uint64(personal[:8])
	state[7] ^= binary.LittleEndian.Uint64(personal[8:])
	done := 0
	for len(text)-done > blakeBlock {
		done += blakeBlock
		blakeCompress(&state, text[done-blakeBlock:done], uint64(done), false)
	}
	var last [blakeBlock]byte
	copy(last[:], text[done:])
	blakeCompress(&state, last[:], uint64(len(text)), true)
	binary.LittleEndian.PutUint64(digest[:8], state[0])
	binary.LittleEndian.PutUint64(digest[8:], state[1])
	return digest
}

func blakeCompress(state *[8]uint64, block []byte, count uint64, last bool) {
	var m, v [16]uint64
	for i := range m {
		m[i] = binary.LittleEndian.Uint64(block[8*i:])
	}
	copy(v[:8], state[:])
	copy(v[8:], blakeStart[:])
	v[12] ^= count
	if last {
		v[14] = ^v[14]
	}
	for round := range 12 {
		order := &blakeOrder[round%10]
		for i := range 4 {
			blakeMix(&v, i, 4+i, 8+i, 12+i, m[order[2*i]], m[order[2*i+1]])
		}
		for i := range 4 {
			blakeMix(&v, i, 4+(i+1)%4, 8+(i+2)%4, 12+(i+3)%4, m[order[8+2*i]], m[order[9+2*i]])
		}
	}
	for i := range state {
		state[i] ^= v[i] ^ v[8+i]
	}
}

func blakeMix(v *[16]uint64, a, b, c, d int, x, y uint64) {
	v[a] += v[b] + x
	v[d] = bits.RotateLeft64(v[d]^v[a], -32)
	v[c] += v[d]
	v[b] = bits.RotateLeft64(v[b]^v[c], -24)
	v[a] += v[b] + y
	v[d] = bits.RotateLeft64(v[d]^v[a], -16)
	v[c] += v[d]
	v[b] = bits.RotateLeft64(v[b]^v[c], -63)
}

// derivedID is the UUID that the referee draws from a text (pipeline/referee/schedule.py).
func derivedID(text string) string {
	id := blake2b128([]byte(text), "ouro-game-id")
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	digits := hex.EncodeToString(id[:])
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}
