package selfplay

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"ouroboros-arena/board"

	"ouroboros-snake/brain"
	"ouroboros-snake/leafeval"
	"ouroboros-snake/weights"
)

// Columns is the length of a row: the game's number in the input, living snakes, the snake's score in thousandths (-1 in an
// aside, which has none), 1 where a search was made, the search's value and our own evaluation in whole points within
// 32767, what the learned evaluation adds in 2^-12 points (0 without one), then the features.
const Columns = head + leafeval.Features

const head = 7

const maxLine = 4 << 20

// Show reads games as Play writes them. It writes the legend as one line of JSON, {"columns":..,"sum":..,"legend":[[name,
// values],..]}, and then a row of Columns int32, little-endian, for every living snake of every position.
func Show(in io.Reader, out io.Writer, w *weights.Weights, learned *leafeval.Evaluation) error {
	writer := bufio.NewWriterSize(out, 1<<20)
	if err := writeHead(writer); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	shower := shower{out: writer, weights: w, learned: learned}
	for game := 0; lines.Scan(); game++ {
		var record Record
		err := json.Unmarshal(lines.Bytes(), &record)
		if err == nil {
			err = shower.game(game, &record)
		}
		if err != nil {
			return fmt.Errorf("line %d of the games %w", game+1, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the games could not be read: %w", err)
	}
	return writer.Flush()
}

func writeHead(out io.Writer) error {
	var legend [][2]any
	for _, feature := range leafeval.Legend {
		legend = append(legend, [2]any{feature.Name, feature.Values})
	}
	return json.NewEncoder(out).Encode(map[string]any{"columns": Columns, "sum": leafeval.LegendSum(), "legend": legend})
}

// shower is the memory that positions are shown with.
type shower struct {
	out     io.Writer
	weights *weights.Weights
	learned *leafeval.Evaluation
	seen    brain.Shower
	view    board.State
	beside  board.State
	row     [4 * Columns]byte
}

func (s *shower) game(number int, record *Record) (err error) {
	at, asides := 0, record.Asides
	replayed := record.replay(func(state *board.State, turn int) {
		if err == nil {
			at, err = s.turn(number, record, state, at)
		}
		for err == nil && len(asides) > 0 && asides[0].Turn == turn {
			err = s.aside(number, state, &asides[0])
			asides = asides[1:]
		}
	})
	switch {
	case replayed != nil:
		return replayed
	case err == nil && len(asides) > 0:
		return fmt.Errorf("has an aside of a turn that it does not have, or not in order")
	}
	return err
}

// turn writes what every living snake sees; at counts the values before, and those after are returned.
func (s *shower) turn(number int, record *Record, state *board.State, at int) (int, error) {
	state.CopyLiving(&s.view)
	me := 0
	for seat := range state.Snakes {
		if !state.Snakes[seat].Alive {
			continue
		}
		if at >= len(record.Values) || at >= len(record.Searched) || seat >= len(record.Scores) {
			return at, fmt.Errorf("has fewer values than moves")
		}
		searched := 0
		if record.Searched[at] == 's' {
			searched = 1
		}
		score := int(math.Round(1000 * record.Scores[seat]))
		if err := s.write(me, number, score, searched, record.Values[at]); err != nil {
			return at, err
		}
		me++
		at++
	}
	return at, nil
}

func (s *shower) aside(number int, state *board.State, aside *Aside) error {
	if !aside.reach(state, &s.beside) {
		return fmt.Errorf("has an aside on turn %d that cannot be played", aside.Turn)
	}
	s.beside.CopyLiving(&s.view)
	return s.write(placeAmongLiving(&s.beside, aside.Seat), number, -1, 1, aside.Value)
}

// write writes the row of snake me in the view.
func (s *shower) write(me, number, score, searched, value int) error {
	shown, own := s.seen.Show(&s.view, me, s.weights)
	about := [head]int{number, s.view.Living, score, searched, whole(float64(value)), whole(own), s.added(&shown)}
	for k, v := range about {
		binary.LittleEndian.PutUint32(s.row[4*k:], uint32(v))
	}
	for k, v := range shown {
		binary.LittleEndian.PutUint32(s.row[4*(head+k):], uint32(v))
	}
	_, err := s.out.Write(s.row[:])
	return err
}

// added is what the learned evaluation adds to ours in the view.
func (s *shower) added(shown *leafeval.Shown) int {
	switch {
	case s.learned == nil:
		return 0
	case s.view.Living == 2:
		return int(s.learned.Duel.Evaluate(shown))
	default:
		return int(s.learned.Crowd.Evaluate(shown))
	}
}

func whole(v float64) int { return int(math.Round(min(max(v, -32767), 32767))) }
