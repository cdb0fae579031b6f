package brain

import "ouroboros-arena/board"

// order remembers, within one decision, which moves and replies were worth trying first.
//   - killers: by turns ahead, my last move that was better than needed, and the last reply that refuted a move;
//   - history: by cell and move, how often and how deep that happened anywhere in the tree.
type order struct {
	killer  [board.MaxPlies]board.Move
	refuter [board.MaxPlies]board.Move
	mine    [historyCells][4]int32
	theirs  [historyCells][4]int32
}

// historyCells bounds the cells that history tells apart; on larger boards distant cells share a place.
const historyCells = 256

// No killer is known yet.
const noMove board.Move = 4

func (o *order) clear() {
	for i := range o.killer {
		o.killer[i], o.refuter[i] = noMove, noMove
	}
	o.mine, o.theirs = [historyCells][4]int32{}, [historyCells][4]int32{}
}

// Ranks of the moves that are tried before those which only history recommends.
const (
	rankKnown  = 1 << 30
	rankKiller = 1 << 28
)

// myMoves sorts my moves: first the one the table knows as best, then the killer, then by history. Equals keep their
// order.
func (o *order) myMoves(moves []board.Move, head int16, ahead int, known board.Move) {
	o.sort(moves, &o.mine[uint(head)%historyCells], o.killer[ahead], known)
}

// replies sorts an opponent's moves by how much they refuted.
func (o *order) replies(moves []board.Move, head int16, ahead int, known board.Move) {
	o.sort(moves, &o.theirs[uint(head)%historyCells], o.refuter[ahead], known)
}

func (o *order) sort(moves []board.Move, history *[4]int32, killer, known board.Move) {
	var rank [4]int32
	for i, m := range moves {
		rank[i] = history[m&3]
		switch m {
		case known:
			rank[i] = rankKnown
		case killer:
			rank[i] = rankKiller
		}
		for at := i; at > 0 && rank[at-1] < rank[at]; at-- {
			rank[at-1], rank[at] = rank[at], rank[at-1]
			moves[at-1], moves[at] = moves[at], moves[at-1]
		}
	}
}

// praise notes that my move m from head was good enough, with depth turns still to look ahead.
func (o *order) praise(m board.Move, head int16, ahead, depth int) {
	o.killer[ahead] = m
	bump(&o.mine[uint(head)%historyCells][m&3], depth)
}

// blame notes that an opponent's reply m from head refuted a move of mine.
func (o *order) blame(m board.Move, head int16, ahead, depth int) {
	o.refuter[ahead] = m
	bump(&o.theirs[uint(head)%historyCells][m&3], depth)
}

func bump(count *int32, depth int) { *count = min(*count+int32(depth*depth), rankKiller-1) }
