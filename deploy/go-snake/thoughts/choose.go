package thoughts

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"ouroboros-arena/board"
	"ouroboros-snake/api"
	"ouroboros-snake/brain"
	"ouroboros-snake/leafeval"
	"ouroboros-snake/weights"
)

// Choose answers the requests of in, one /move request a line, with the first letter of its move, one a line, within budget
// positions a move and by no clock, so that the same request always gets the same answer. A request that cannot be read
// is answered by "! " and why. What is answered is written out whenever no more requests wait: whoever asks may write
// many at once and then read as many answers.
func Choose(in io.Reader, out io.Writer, w *weights.Weights, budget int, learned *leafeval.Evaluation) error {
	own := counted(w, budget)
	lines, answers := bufio.NewReaderSize(in, maxLine), bufio.NewWriter(out)
	player := brain.Player{Learned: learned}
	var request api.Request
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return answers.Flush()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("a request could not be read: %w", err)
		}
		if _, err := fmt.Fprintln(answers, chosen(line, &request, &player, &own)); err != nil {
			return fmt.Errorf("an answer could not be written: %w", err)
		}
		if lines.Buffered() == 0 {
			if err := answers.Flush(); err != nil {
				return fmt.Errorf("an answer could not be written: %w", err)
			}
		}
	}
}

func chosen(line []byte, request *api.Request, player *brain.Player, w *weights.Weights) string {
	if err := api.Decode(line, request); err != nil {
		return "! " + err.Error()
	}
	decision, err := player.Move(request, w)
	if err != nil {
		return "! " + err.Error()
	}
	return board.Words[decision.Move][:1]
}
