package arena

// told is one turn of the game that is watched: a line of type turn.
type told struct {
	Type  string `json:"type"`
	Job   string `json:"job"`
	Game  int    `json:"game"`
	Frame frame  `json:"frame"`
}

// frame is a board in the words of a game log (deploy/go-snake/gamelog): s the living snakes, b their bodies, on the
// first frame only; f food, z hazards, in all.
type frame struct {
	Turn    int      `json:"t"`
	Snakes  [][5]int `json:"s"`
	Bodies  [][2]any `json:"b,omitempty"`
	Food    []int    `json:"f"`
	Hazards []int    `json:"z"`
}

// tell says a turn of a job's game, unless the job was dropped.
func (h *hall) tell(j *job, number int, g *game) {
	line := told{Type: "turn", Job: j.id, Game: number, Frame: g.frame()}
	h.out.lock.Lock()
	defer h.out.lock.Unlock()
	if !j.dropped {
		h.out.write(line)
	}
}

func (g *game) frame() frame {
	f := frame{Turn: g.turn, Snakes: make([][5]int, 0, g.seats), Food: flat(g.coords(g.food)), Hazards: flat(g.hazards())}
	for seat := range g.seats {
		snake := &g.state.Snakes[seat]
		if !snake.Alive {
			continue
		}
		head := g.coord(snake.Head)
		f.Snakes = append(f.Snakes, [5]int{seat, int(snake.Health), int(snake.Length), head.X, head.Y})
		if g.turn == 0 {
			f.Bodies = append(f.Bodies, [2]any{seat, flat(g.body(seat))})
		}
	}
	return f
}

func flat(cells []Coord) []int {
	list := make([]int, 0, 2*len(cells))
	for _, c := range cells {
		list = append(list, c.X, c.Y)
	}
	return list
}

// body is a snake's cells, head first, a stacked tail repeated.
func (g *game) body(i int) []Coord {
	path := g.state.Path(i)
	body := make([]Coord, 0, g.state.Snakes[i].Length)
	for at := len(path) - 1; at >= 0; at-- {
		body = append(body, g.coord(path[at]))
	}
	for range g.state.Stack(i) {
		body = append(body, body[len(body)-1])
	}
	return body
}
