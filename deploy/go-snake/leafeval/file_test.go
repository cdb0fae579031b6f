package leafeval

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// made is a file's content with numbers of every size, summed up rightly.
func made() []byte {
	data := []byte(Magic)
	for _, v := range []uint32{Version, LegendSum(), HandOne, 11, 11} {
		data = binary.LittleEndian.AppendUint32(data, v)
	}
	state := uint32(1)
	for range 2 * (rowCount() + 2) * Lanes {
		state = state*1664525 + 1013904223
		data = binary.LittleEndian.AppendUint16(data, uint16(int(state>>16)%(2*RowLimit+1)-RowLimit))
	}
	return sealed(data)
}

func sealed(data []byte) []byte {
	return binary.LittleEndian.AppendUint32(data, crc32.ChecksumIEEE(data))
}

// number reads lane of row r of the duel's network from the file itself.
func number(data []byte, r, lane int) int {
	return int(int16(binary.LittleEndian.Uint16(data[headBytes+2*(r*Lanes+lane):])))
}

// TestTheValueIsTheOneThatTheFileDescribes adds rows up number by number.
func TestTheValueIsTheOneThatTheFileDescribes(t *testing.T) {
	data := made()
	evaluation, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 50 {
		var shown Shown
		for k, feature := range Legend {
			shown[k] = uint16((round*31 + k*7) % feature.Values)
		}
		want := 0
		for lane := range Lanes {
			sum, start := number(data, rowCount(), lane), 0
			for k, feature := range Legend {
				sum += number(data, start+int(shown[k]), lane)
				start += feature.Values
			}
			if lane < Lanes-1 {
				sum = min(max(sum, 0), ActivationOne)
			}
			want += sum * number(data, rowCount()+1, lane)
		}
		if got := evaluation.Duel.Evaluate(&shown); int(got) != want {
			t.Fatalf("value %d, want %d", got, want)
		}
	}
}

// TestSumsAtTheLimitCarryIntoNoOtherLane adds Features rows of the greatest and the least number.
func TestSumsAtTheLimitCarryIntoNoOtherLane(t *testing.T) {
	for _, sign := range []int16{1, -1} {
		data := made()[:size()-4]
		for at := headBytes; at < len(data); at += 2 {
			v := sign * RowLimit
			if at/2%2 == 0 {
				v = -v // neighbours pull the other way
			}
			binary.LittleEndian.PutUint16(data[at:], uint16(v))
		}
		evaluation, err := Parse(sealed(data))
		if err != nil {
			t.Fatal(err)
		}
		for lane := range Lanes - 1 {
			sum := number(data, 0, lane) * (Features + 1)
			clipped := min(max(sum, 0), ActivationOne)
			if got := laneOf(evaluation, lane); got != clipped {
				t.Fatalf("lane %d is %d, want %d", lane, got, clipped)
			}
		}
	}
}

// laneOf is one lane's clipped sum: all other output weights are taken away.
func laneOf(e *Evaluation, lane int) int {
	one := e.Duel
	one.output = [Lanes]int32{}
	one.output[lane] = 1
	return int(one.Evaluate(&Shown{}))
}

func TestWhatCannotBeUsedIsRefusedInOneSentence(t *testing.T) {
	with := func(at int, v byte, seal bool) []byte {
		data := made()
		data[at] ^= v
		if seal {
			data = sealed(data[:len(data)-4])
		}
		return data
	}
	row := made()[:size()-4]
	binary.LittleEndian.PutUint16(row[headBytes:], RowLimit+1)
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"empty": {nil, "is no leaf evaluation"}, "foreign": {[]byte(strings.Repeat("x", 200)), "is no leaf evaluation"},
		"cut short": {made()[:1000], "damaged"}, "longer": {append(made(), 0), "damaged"},
		"a bit flipped":  {with(headBytes+999, 4, false), "damaged"},
		"a later format": {with(len(Magic), 3, true), "version 2"},
		"other features": {with(len(Magic)+4, 1, true), "other features"},
		"no such board":  {with(len(Magic)+12, 0x40, true), "cannot be"},
		"no such row":    {sealed(row), "beyond 780"},
	} {
		path := filepath.Join(t.TempDir(), "leaf.eval")
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ReadFile(path)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), path) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
