package api

import "strconv"

// maxLatency bounds what is believed of a latency, in milliseconds.
const maxLatency = 1 << 20

// Decode reads a request from JSON text, into req, reusing its slices. Unknown fields are skipped, null and absent
// fields are zero, keys are case-sensitive, of repeated keys the last counts, whole numbers have at most nine digits. An error names the byte where the text
// stops being JSON or where a value has the wrong type. It is written for these messages because it is in the path of
// every move of every tuning game; the tests hold it to what encoding/json reads.
func Decode(text []byte, req *Request) error {
	s := scanner{text: string(text)} // one copy, which every decoded string then shares
	resetRequest(req)
	s.request(req)
	s.space()
	if s.err == nil && s.at < len(s.text) {
		s.fail("text after the request")
	}
	return s.err
}

func resetRequest(req *Request) {
	snakes, food, hazards, body := req.Board.Snakes, req.Board.Food, req.Board.Hazards, req.You.Body
	*req = Request{}
	req.Board.Snakes, req.Board.Food, req.Board.Hazards = snakes[:0], food[:0], hazards[:0]
	req.You.Body = body[:0]
}

func (s *scanner) request(req *Request) {
	for key, more := s.open(); more; key, more = s.next() {
		switch key {
		case "game":
			req.Game = Game{}
			s.game(&req.Game)
		case "turn":
			req.Turn = s.integer()
		case "board":
			s.board(&req.Board)
		case "you":
			s.snake(&req.You)
		default:
			s.skip()
		}
	}
}

func (s *scanner) game(g *Game) {
	for key, more := s.open(); more; key, more = s.next() {
		switch key {
		case "id":
			g.ID = s.word()
		case "ruleset":
			g.Ruleset = Ruleset{}
			s.ruleset(&g.Ruleset)
		case "map":
			g.Map = s.word()
		case "source":
			g.Source = s.word()
		case "timeout":
			g.Timeout = s.integer()
		default:
			s.skip()
		}
	}
}

func (s *scanner) ruleset(r *Ruleset) {
	for key, more := s.open(); more; key, more = s.next() {
		switch key {
		case "name":
			r.Name = s.word()
		case "settings":
			r.Settings = Settings{}
			s.settings(&r.Settings)
		default:
			s.skip()
		}
	}
}

func (s *scanner) settings(t *Settings) {
	for key, more := s.open(); more; key, more = s.next() {
		switch key {
		case "foodSpawnChance":
			t.FoodSpawnChance = s.integer()
		case "minimumFood":
			t.MinimumFood = s.integer()
		case "hazardDamagePerTurn":
			t.HazardDamagePerTurn = s.integer()
		case "royale":
			t.ShrinkEveryNTurns = 0
			for key, more := s.open(); more; key, more = s.next() {
				if key == "shrinkEveryNTurns" {
					t.ShrinkEveryNTurns = s.integer()
				} else {
					s.skip()
				}
			}
		default:
			s.skip()
		}
	}
}

func (s *scanner) board(b *Board) {
	b.Width, b.Height = 0, 0
	b.Snakes, b.Food, b.Hazards = b.Snakes[:0], b.Food[:0], b.Hazards[:0]
	for key, more := s.open(); more; key, more = s.next() {
		switch key {
		case "width":
			b.Width = s.integer()
		case "height":
			b.Height = s.integer()
		case "snakes":
			b.Snakes = b.Snakes[:0]
			for more := s.openList(); more; more = s.nextItem() {
				if len(b.Snakes) < cap(b.Snakes) {
					b.Snakes = b.Snakes[:len(b.Snakes)+1] // keeps the old snake's body memory
				} else {
					b.Snakes = append(b.Snakes, Snake{})
				}
				s.snake(&b.Snakes[len(b.Snakes)-1])
			}
		case "food":
			b.Food = s.points(b.Food[:0])
		case "hazards":
			b.Hazards = s.points(b.Hazards[:0])
		default:
			s.skip()
		}
	}
}

func (s *scanner) snake(n *Snake) {
	*n = Snake{Body: n.Body[:0]}
	for key, more := s.open(); more; key, more = s.next() {
		switch key {
		case "id":
			n.ID = s.word()
		case "name":
			n.Name = s.word()
		case "health":
			n.Health = s.integer()
		case "latency":
			n.Latency = s.latency()
		case "shout":
			n.Shout = s.shout()
		case "body":
			n.Body = s.points(n.Body[:0])
		default:
			s.skip()
		}
	}
}

// latency reads milliseconds that the API sends as a string. It is told for information only: what is no such number is
// 0, not a fault.
func (s *scanner) latency() int {
	if s.peek() != '"' {
		s.skip()
		return 0
	}
	return milliseconds(s.quoted())
}

// shout reads words that are for people: what is no text is none.
func (s *scanner) shout() string {
	if s.peek() != '"' {
		s.skip()
		return ""
	}
	return s.word()
}

func milliseconds(word string) int {
	ms, err := strconv.Atoi(word)
	if err != nil || ms < 0 || ms > maxLatency {
		return 0
	}
	return ms
}

func (s *scanner) points(into []Point) []Point {
	for more := s.openList(); more; more = s.nextItem() {
		var p Point
		for key, more := s.open(); more; key, more = s.next() {
			switch key {
			case "x":
				p.X = s.integer()
			case "y":
				p.Y = s.integer()
			default:
				s.skip()
			}
		}
		into = append(into, p)
	}
	return into
}
