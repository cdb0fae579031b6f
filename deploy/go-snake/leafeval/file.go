package leafeval

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// The file, numbers little-endian: Magic; Version, LegendSum, HandShare and the board's width and height as uint32; of
// the duel's network, then of the crowd's: every feature's rows of Lanes int16 in the legend's order, Lanes int16 of bias
// and Lanes int16 of output weights; at the end the CRC-32 (IEEE) of all before it.
const (
	Magic   = "OUROLEAF"
	Version = 1
)

const (
	headBytes = len(Magic) + 5*4
	// HandOne is a HandShare of 1.
	HandOne = 256
	maxSide = 25
)

// Evaluation is what a file holds.
type Evaluation struct {
	// HandShare is how much of the snake's own evaluation is added, in parts of HandOne.
	HandShare int
	// Width and Height are of the board that it was fitted for.
	Width, Height int
	Duel, Crowd   Network
}

// ReadFile reads an evaluation's file. The error is one sentence.
func ReadFile(path string) (*Evaluation, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, int64(size()+1)))
	if err != nil {
		return nil, err
	}
	e, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return e, nil
}

// Parse reads an evaluation. The error says what is wrong with the data.
func Parse(data []byte) (*Evaluation, error) {
	if len(data) < headBytes || string(data[:len(Magic)]) != Magic {
		return nil, errors.New("is no leaf evaluation")
	}
	number := func(at int) uint32 { return binary.LittleEndian.Uint32(data[len(Magic)+4*at:]) }
	if version := number(0); version != Version {
		return nil, fmt.Errorf("is a leaf evaluation of version %d, and this snake reads version %d; fit it anew", version, Version)
	}
	if number(1) != LegendSum() {
		return nil, errors.New("is a leaf evaluation made for other features than this snake's; fit it anew")
	}
	if len(data) != size() || binary.LittleEndian.Uint32(data[size()-4:]) != crc32.ChecksumIEEE(data[:size()-4]) {
		return nil, errors.New("is a damaged leaf evaluation: its checksum is not that of what it holds")
	}
	e := &Evaluation{HandShare: int(number(2)), Width: int(number(3)), Height: int(number(4))}
	if e.HandShare > HandOne || e.Width < 1 || e.Width > maxSide || e.Height < 1 || e.Height > maxSide {
		return nil, errors.New("is a leaf evaluation with numbers in its head that cannot be")
	}
	rest := data[headBytes : size()-4]
	for _, network := range []*Network{&e.Duel, &e.Crowd} {
		var err error
		if rest, err = network.read(rest); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// size is that of a whole file, in bytes.
func size() int { return headBytes + 2*2*Lanes*(rowCount()+2) + 4 }

func rowCount() (rows int) {
	for _, feature := range Legend {
		rows += feature.Values
	}
	return rows
}

// read takes the network from the front of the data and returns the rest.
func (n *Network) read(data []byte) ([]byte, error) {
	row := func() []int16 {
		values := make([]int16, Lanes)
		for lane := range values {
			values[lane] = int16(binary.LittleEndian.Uint16(data[2*lane:]))
		}
		data = data[2*Lanes:]
		return values
	}
	at := int32(0)
	for k, feature := range Legend {
		n.starts[k] = at
		at += int32(feature.Values)
	}
	n.rows = make([][words]uint64, at)
	for r := range n.rows {
		values := row()
		for _, v := range values {
			if v < -RowLimit || v > RowLimit {
				return nil, fmt.Errorf("is a leaf evaluation with a number beyond %d", RowLimit)
			}
		}
		n.rows[r] = pack(values)
	}
	for lane, v := range row() {
		n.bias[lane] = int32(v) - int32(Features*RowLimit)
	}
	for lane, v := range row() {
		n.output[lane] = int32(v)
	}
	return data, nil
}
