package board

// Undo holds what Step changed, for State.Undo.
type Undo struct {
	living  int
	entries [MaxSnakes]snakeUndo
	meals   [MaxSnakes]int16
	eaten   int
}

type snakeUndo struct {
	before Snake
	tail   int16 // cell whose mark the moving tail cleared, or Wall
	claim  int16 // cell the surviving head was written on, or Wall
	owner  int8  // what stood on claim before
	stamp  int32
}

// Step plays one turn of the official rules for all living snakes: move, starve, hazard, feed, eliminate and, in
// constrictor, grow. Food and hazards of later turns are unknown and not guessed. moves is indexed by snake.
func (s *State) Step(moves *[MaxSnakes]Move, u *Undo) {
	u.living, u.eaten = s.Living, 0
	s.Turn++
	for i := range s.Snakes {
		e := &u.entries[i]
		e.before = s.Snakes[i]
		if s.Snakes[i].Alive {
			s.advance(i, moves[i], e)
		}
	}
	s.feed(u)
	s.eliminate(u)
	for i := range s.Snakes {
		if s.Snakes[i].Alive {
			s.settle(i, &u.entries[i])
		}
	}
}

// advance moves one head, lets its tail follow, and takes hunger and hazard damage. The head is not marked yet.
func (s *State) advance(i int, m Move, e *snakeUndo) {
	sn := &s.Snakes[i]
	e.tail, e.claim = Wall, Wall
	if sn.stack > 0 {
		sn.stack--
	} else {
		tail := s.paths[i][sn.tailAt]
		if s.Owner[tail] == int8(i) {
			s.Owner[tail] = Nobody
			e.tail = tail
		}
		sn.tailAt++
	}
	sn.Head = s.Geo.Next[sn.Head][m]
	sn.headAt++
	sn.Health--
	if sn.Head == Wall { // walls need no picture of the others, and such a snake blocks nobody
		sn.Alive, sn.Cause = false, WallCollision
		if sn.Health <= 0 {
			sn.Cause = OutOfHealth
		}
		return
	}
	s.paths[i][sn.headAt] = sn.Head
	if layers := int32(s.Hazard[sn.Head]); layers > 0 && !s.Food[sn.Head] {
		for ; layers > 0; layers-- {
			sn.Health = min(max(sn.Health-s.HazardDamage, 0), MaxHealth)
			if sn.Health <= 0 {
				sn.Alive, sn.Cause = false, HazardDeath // dies before it could eat, and blocks nobody
				return
			}
		}
	}
}

// feed lets every living head on food eat, and takes the food away. A head off the board would eat nothing anyway.
func (s *State) feed(u *Undo) {
	for i := range s.Snakes {
		sn := &s.Snakes[i]
		if !sn.Alive {
			continue
		}
		if s.Food[sn.Head] {
			sn.Health = MaxHealth
			sn.Length++
			sn.stack++
			sn.grow++
			u.meals[u.eaten] = sn.Head
			u.eaten++
		} else if sn.Health <= 0 {
			sn.Alive, sn.Cause = false, OutOfHealth // starved: blocks nobody
		}
	}
	for _, c := range u.meals[:u.eaten] {
		s.Food[c] = false
	}
}

// eliminate judges collisions from one common picture: bodies first, then heads on one cell by length.
func (s *State) eliminate(u *Undo) {
	var verdicts [MaxSnakes]Cause
	for i := range s.Snakes {
		sn := &s.Snakes[i]
		if !sn.Alive {
			continue
		}
		if o := s.Owner[sn.Head]; o >= 0 && s.Snakes[o].Alive {
			verdicts[i] = SnakeCollision // whatever the heads say
			if int(o) == i {
				verdicts[i] = SelfCollision
			}
		}
		for j := i + 1; j < len(s.Snakes); j++ {
			other := &s.Snakes[j]
			if other.Alive && other.Head == sn.Head {
				meet(&verdicts[i], sn.Length, other.Length)
				meet(&verdicts[j], other.Length, sn.Length)
			}
		}
	}
	s.Living = 0
	for i := range s.Snakes {
		if verdicts[i] != NotDead {
			s.Snakes[i].Alive, s.Snakes[i].Cause = false, verdicts[i]
		}
		if s.Snakes[i].Alive {
			s.Living++
		}
	}
}

// meet writes the verdict on a head that meets another; a collision with a body goes before.
func meet(verdict *Cause, own, others int32) {
	if others >= own && *verdict == NotDead {
		*verdict = HeadCollision
	}
}

// settle marks a surviving head on the board and, in constrictor, keeps the tail where it is.
func (s *State) settle(i int, e *snakeUndo) {
	sn := &s.Snakes[i]
	if s.Constrictor {
		sn.Health = MaxHealth
		if sn.stack == 0 {
			sn.stack, sn.Length, sn.grow = 1, sn.Length+1, sn.grow+1
		}
	}
	c := sn.Head
	e.claim, e.owner, e.stamp = c, s.Owner[c], s.stamp[c]
	s.Owner[c] = int8(i)
	s.stamp[c] = s.Turn + sn.Length - sn.grow
}

// Undo takes back the last Step, whose changes u holds.
func (s *State) Undo(u *Undo) {
	for i := range s.Snakes {
		if e := &u.entries[i]; e.before.Alive && e.claim != Wall {
			s.Owner[e.claim], s.stamp[e.claim] = e.owner, e.stamp
		}
	}
	for i := range s.Snakes {
		e := &u.entries[i]
		if !e.before.Alive {
			continue
		}
		if e.tail != Wall {
			s.Owner[e.tail] = int8(i)
		}
		s.Snakes[i] = e.before
	}
	for _, c := range u.meals[:u.eaten] {
		s.Food[c] = true
	}
	s.Living = u.living
	s.Turn--
}
