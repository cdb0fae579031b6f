package leafeval

// words is how many 64-bit words hold a row, four lanes in each.
const words = Lanes / 4

// Shown is what a position is shown as.
type Shown [Features]uint16

// Network is one table with its output weights. Lanes are kept four to a word, each raised by RowLimit: sums of Features
// rows then carry from no lane into the next.
type Network struct {
	rows [][words]uint64
	// starts is where each feature's rows begin.
	starts [Features]int32
	bias   [Lanes]int32
	output [Lanes]int32
}

// Silent reports that the value is 0 whatever is shown: there is no need to ask.
func (n *Network) Silent() bool { return n.output == [Lanes]int32{} }

// Evaluate is the network's value in 2^-PointShift points.
func (n *Network) Evaluate(shown *Shown) int32 {
	var a, b, c, d uint64
	for k := range shown {
		row := &n.rows[n.starts[k]+int32(shown[k])]
		a, b, c, d = a+row[0], b+row[1], c+row[2], d+row[3]
	}
	value := int32(0)
	for w, four := range [words]uint64{a, b, c, d} {
		for lane := range 4 {
			at := w*4 + lane
			sum := int32(four>>(16*lane)&0xffff) + n.bias[at]
			if at < Lanes-1 {
				sum = min(max(sum, 0), ActivationOne)
			}
			value += sum * n.output[at]
		}
	}
	return value
}

// Points is the same in points.
func (n *Network) Points(shown *Shown) float64 { return float64(n.Evaluate(shown)) / (1 << PointShift) }

// pack lays a row out as Evaluate reads it.
func pack(row []int16) (packed [words]uint64) {
	for lane, v := range row {
		packed[lane/4] |= uint64(uint16(v+RowLimit)) << (16 * (lane % 4))
	}
	return packed
}
