// Package board holds one Battlesnake position in flat arrays, and plays turns on it forwards and backwards.
package board

import "sync"

// Move is one of the four directions. The order is the order in which ties are broken.
type Move uint8

// The four moves; y grows upward.
const (
	Up Move = iota
	Down
	Left
	Right
)

// Words are the API's names of the moves, indexed by Move.
var Words = [4]string{"up", "down", "left", "right"}

// Wall marks a step that leaves the board in Geometry.Next.
const Wall int16 = -1

// MaxCells bounds width*height of a board we accept (the largest official board has 625).
const MaxCells = 4096

// Geometry is what depends on a board's size and edges alone. It is read-only and shared by all games of that size.
// A cell's index is y*W + x.
type Geometry struct {
	W, H, Cells int
	Wrapped     bool
	// Next[c][m] is the cell reached from c by move m, or Wall.
	Next [][4]int16
	X, Y []int16
	// Sides[c] counts the directions in which c touches the edge: 0 inside, 1 on an edge, 2 in a corner (0 when wrapped).
	Sides []uint8
	// Off[c] is the distance from the board's centre as a share of the largest such distance, 0 to 1 (0 when wrapped).
	Off []float64
}

type geometryKey struct {
	w, h    int
	wrapped bool
}

const maxCachedGeometries = 64

var (
	geometryLock  sync.RWMutex
	geometryCache = map[geometryKey]*Geometry{}
)

// GeometryOf returns the shared geometry of a w x h board. The caller checks 1 <= w*h <= MaxCells.
func GeometryOf(w, h int, wrapped bool) *Geometry {
	key := geometryKey{w, h, wrapped}
	geometryLock.RLock()
	g := geometryCache[key]
	geometryLock.RUnlock()
	if g != nil {
		return g
	}
	g = newGeometry(w, h, wrapped)
	geometryLock.Lock()
	if len(geometryCache) < maxCachedGeometries { // strange sizes must not fill the memory
		geometryCache[key] = g
	}
	geometryLock.Unlock()
	return g
}

func newGeometry(w, h int, wrapped bool) *Geometry {
	n := w * h
	g := &Geometry{W: w, H: h, Cells: n, Wrapped: wrapped, Next: make([][4]int16, n),
		X: make([]int16, n), Y: make([]int16, n), Sides: make([]uint8, n), Off: make([]float64, n)}
	for c := 0; c < n; c++ {
		x, y := c%w, c/w
		g.X[c], g.Y[c] = int16(x), int16(y)
		g.Next[c] = [4]int16{g.at(x, y+1), g.at(x, y-1), g.at(x-1, y), g.at(x+1, y)}
		if !wrapped {
			for _, next := range g.Next[c] {
				if next == Wall {
					g.Sides[c]++
				}
			}
			span := max(w+h-2, 1)
			g.Off[c] = float64(abs(2*x-(w-1))+abs(2*y-(h-1))) / float64(span)
		}
	}
	return g
}

// at is the index of (x, y), wrapped where the board wraps, or Wall.
func (g *Geometry) at(x, y int) int16 {
	if g.Wrapped {
		x, y = (x+g.W)%g.W, (y+g.H)%g.H
	}
	return int16(g.Cell(x, y))
}

// Cell is the index of (x, y), or -1 when that lies off the board.
func (g *Geometry) Cell(x, y int) int {
	if x < 0 || y < 0 || x >= g.W || y >= g.H {
		return int(Wall)
	}
	return y*g.W + x
}

// Distance is the number of moves between two cells on an empty board.
func (g *Geometry) Distance(a, b int16) int {
	dx, dy := abs(int(g.X[a])-int(g.X[b])), abs(int(g.Y[a])-int(g.Y[b]))
	if g.Wrapped {
		dx, dy = min(dx, g.W-dx), min(dy, g.H-dy)
	}
	return dx + dy
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}
