package brain

import (
	"reflect"
	"testing"

	"ouroboros-arena/board"
)

// considered is what the shipped weights think within a small budget: which moves hold and which do not.
func considered(t *testing.T, rules string, health int, rows ...string) (holding, losing []string) {
	t.Helper()
	var p Player
	_, thoughts, err := p.Consider(draw(t, rules, health, rows...), shipped(t, 2000))
	if err != nil {
		t.Fatal(err)
	}
	for _, thought := range thoughts {
		if thought.Holds {
			holding = append(holding, board.Words[thought.Move])
		} else {
			losing = append(losing, board.Words[thought.Move])
		}
	}
	return holding, losing
}

func TestConsiderTellsAPocketFromTheWayOut(t *testing.T) {
	holding, losing := considered(t, "standard", 90,
		". A b k l . .",
		"e d c j . . .",
		"f g h i . . .",
		". . . . . . .",
		". . . . . . .",
		". . . . . . .",
		". . . . M n o")
	if len(holding) != 0 || len(losing) != 1 || losing[0] != "left" {
		t.Fatalf("the pocket: holding %v, losing %v", holding, losing)
	}
	holding, losing = considered(t, "standard", 90,
		". . . . . . .",
		"c d . . . . .",
		"b A . . . . .",
		". . . . . . .",
		". . . . . . .",
		". . . . . . .",
		". . . . M n o")
	if len(losing) != 0 || len(holding) != 3 { // the tail makes room
		t.Fatalf("the open board: holding %v, losing %v", holding, losing)
	}
}

func TestConsiderFearsALongerHead(t *testing.T) {
	holding, losing := considered(t, "standard", 90,
		"b A . M n o p",
		"c . . . . . q",
		". . . . . . r",
		". . . . . . .",
		". . . . . . .",
		". . . . . . .",
		". . . . . . .")
	if !reflect.DeepEqual(holding, []string{"down"}) || !reflect.DeepEqual(losing, []string{"right"}) {
		t.Fatalf("holding %v, losing %v", holding, losing)
	}
}

func TestConsiderWithNoWayOutHasNoThoughts(t *testing.T) {
	holding, losing := considered(t, "standard", 90,
		". . e d c . .",
		". . f A b . .",
		". . g h i . .",
		". . . l j . .",
		". . . k . . .",
		". . . . . . .",
		". . . . M n o")
	if holding != nil || losing != nil {
		t.Fatalf("holding %v, losing %v", holding, losing)
	}
}

func TestConsiderIsRepeatableAndChangesNothing(t *testing.T) {
	w := shipped(t, 500)
	var warm Player
	for _, req := range corpus(t, shipped(t, 60), 60) {
		first, thoughts, err := warm.Consider(req, w)
		if err != nil {
			t.Fatal(err)
		}
		var fresh Player
		again, same, _ := fresh.Consider(req, w)
		alone, _ := fresh.Move(req, w)
		if first != again || first != alone || !reflect.DeepEqual(thoughts, same) {
			t.Fatalf("turn %d: %v %v, then %v %v, alone %v", req.Turn, first, thoughts, again, same, alone)
		}
		for _, thought := range thoughts {
			if thought.Scored > 500+4*4*board.MaxSnakes {
				t.Fatalf("turn %d scored %d positions of 500", req.Turn, thought.Scored)
			}
		}
	}
}
