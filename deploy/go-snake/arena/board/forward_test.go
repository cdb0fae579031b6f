package board

import (
	"slices"
	"testing"
)

// TestWholeGameForward plays far more turns than MaxPlies, with two snakes going round in squares that eat now and then,
// and compares bodies with plain slices; a copy of the living is the same position at any time.
func TestWholeGameForward(t *testing.T) {
	geo := GeometryOf(11, 11, false)
	var s, twin State
	s.Reset(geo)
	var bodies [2][]int16
	for i, at := range [][2]int{{1, 1}, {6, 6}} {
		c := int16(geo.Cell(at[0], at[1]))
		bodies[i] = []int16{c, c, c}
		s.AddSnake(100, bodies[i])
	}
	round := []Move{Up, Up, Up, Right, Right, Right, Down, Down, Down, Left, Left, Left}
	var moves [MaxSnakes]Move
	var undo Undo
	for turn := range 40 * MaxPlies {
		moves[0], moves[1] = round[turn%len(round)], round[turn%len(round)]
		for i := range bodies {
			next := geo.Next[bodies[i][0]][moves[i]]
			s.Snakes[i].Health = MaxHealth // the squares have room for a few meals only
			bodies[i] = append([]int16{next}, bodies[i][:len(bodies[i])-1]...)
			if len(bodies[i]) < 10 && turn%50 == 7*i {
				s.AddFood(next)
				bodies[i] = append(bodies[i], bodies[i][len(bodies[i])-1])
			}
		}
		s.MakeRoom()
		s.Step(&moves, &undo)
		s.CopyLiving(&twin)
		for i := range bodies {
			if s.Snakes[i].Cause != NotDead || !slices.Equal(body(&s, i), bodies[i]) || !slices.Equal(body(&twin, i), bodies[i]) {
				t.Fatalf("turn %d: snake %d died of %q with %v, copied %v, want %v", turn, i,
					CauseWords[s.Snakes[i].Cause], body(&s, i), body(&twin, i), bodies[i])
			}
			for _, c := range bodies[i] {
				if s.FreeAt(c)-s.Turn != twin.FreeAt(c) {
					t.Fatalf("turn %d: cell %d is free after %d turns, in the copy after %d", turn, c, s.FreeAt(c)-s.Turn,
						twin.FreeAt(c))
				}
			}
		}
	}
	s.Snakes[0].Alive = false
	s.CopyLiving(&twin)
	if len(twin.Snakes) != 1 || !slices.Equal(body(&twin, 0), bodies[1]) || !twin.Enterable(bodies[0][1]) {
		t.Fatalf("%d snakes, %v", len(twin.Snakes), body(&twin, 0))
	}
}
