package arena

import "fmt"

// Placing snakes and the first food as the standard map does it, draw for draw as pipeline/engine/starts.py.

// setUp places the snakes and the first food on an empty board. An error says what has no room.
func (g *game) setUp() error {
	if err := g.placeSnakes(); err != nil {
		return err
	}
	if g.conditions.Map != mapEmpty {
		if err := g.placeFirstFood(); err != nil {
			return err
		}
	}
	if g.state.Constrictor {
		g.clearFood()
	}
	return nil
}

func (g *game) placeSnakes() error {
	key := streamOf(g.seed, 0, startsPurpose)
	if w := g.conditions.Width; w == g.conditions.Height && w >= 7 {
		g.placeOnFixedPoints(key)
		return nil
	}
	return g.placeAnywhere(key)
}

func (g *game) noRoom(what string) error {
	return fmt.Errorf("no room for the %s of %d snakes on %dx%d", what, g.seats, g.conditions.Width, g.conditions.Height)
}

// placeSnake puts a new snake down: three copies of one cell, full health.
func (g *game) placeSnake(x, y int) {
	c := int16(g.state.Geo.Cell(x, y))
	g.state.AddSnake(100, []int16{c, c, c})
}

// shuffled is a Fisher-Yates shuffle of 0 .. 3 that uses the draws from first on.
func shuffled(key stream, first int) [4]int {
	order := [4]int{0, 1, 2, 3}
	for last := 3; last > 0; last-- {
		other := key.draw(first+last, last+1)
		order[last], order[other] = order[other], order[last]
	}
	return order
}

// placeOnFixedPoints is for square boards from 7: corners and cardinals, a coin deciding which group
// comes first.
func (g *game) placeOnFixedPoints(key stream) {
	side := g.conditions.Width
	low, middle, high := 1, (side-1)/2, side-2
	at := func(second int) int {
		if second != 0 {
			return high
		}
		return low
	}
	cornersFirst := key.draw(0, 2) == 0
	corners, cardinals := shuffled(key, 10), shuffled(key, 20)
	for snake := range g.seats {
		if (snake < 4) == cornersFirst {
			corner := corners[snake%4]
			g.placeSnake(at(corner&2), at(corner&1))
			continue
		}
		cardinal := cardinals[snake%4]
		if cardinal&2 != 0 {
			g.placeSnake(at(cardinal&1), middle)
		} else {
			g.placeSnake(middle, at(cardinal&1))
		}
	}
}

// placeAnywhere is for the other boards: free cells with x + y even, never the centre.
func (g *game) placeAnywhere(key stream) error {
	w, h := g.conditions.Width, g.conditions.Height
	centre := (w-1)/2*h + (h-1)/2
	for snake := range g.seats {
		var free []int
		for spot := range w * h {
			x, y := spot/h, spot%h
			if (x+y)%2 == 0 && spot != centre && !g.taken(int16(g.state.Geo.Cell(x, y))) {
				free = append(free, spot)
			}
		}
		if len(free) == 0 {
			return g.noRoom("snakes")
		}
		spot := free[key.draw(snake, len(free))]
		g.placeSnake(spot/h, spot%h)
	}
	return nil
}

func (g *game) placeFirstFood() error {
	w, h := g.conditions.Width, g.conditions.Height
	key := streamOf(g.seed, 0, startFoodPurpose)
	if w == h && w >= 7 {
		return g.placeFixedFood(key)
	}
	for index := range g.seats {
		if c := g.randomFoodCell(key, index); c >= 0 {
			g.addFood(c)
		}
	}
	return nil
}

// placeFixedFood puts food beside each snake (not on small boards with five or more) and in the centre.
func (g *game) placeFixedFood(key stream) error {
	w, h := g.conditions.Width, g.conditions.Height
	if g.seats <= 4 || w*h >= 121 {
		for snake := range g.seats {
			if !g.placeFoodBeside(key, snake) {
				return g.noRoom("food")
			}
		}
	}
	centre := int16(g.state.Geo.Cell((w-1)/2, (h-1)/2))
	if g.taken(centre) {
		return g.noRoom("food")
	}
	g.addFood(centre)
	return nil
}

// placeFoodBeside puts one food on a diagonal neighbour of a snake's head, if any is fit.
func (g *game) placeFoodBeside(key stream, snake int) bool {
	head := g.state.Snakes[snake].Head
	headX, headY := int(g.state.Geo.X[head]), int(g.state.Geo.Y[head])
	var fit []int16
	for corner := range 4 {
		x, y := headX+corner&2-1, headY+2*(corner&1)-1
		if g.fitsFirstFood(x, y, headX, headY) {
			fit = append(fit, int16(g.state.Geo.Cell(x, y)))
		}
	}
	if len(fit) == 0 {
		return false
	}
	g.addFood(fit[key.draw(snake, len(fit))])
	return true
}

// fitsFirstFood reports whether first food may lie at (x, y) for this head: away from the centre, in no corner.
func (g *game) fitsFirstFood(x, y, headX, headY int) bool {
	w, h := g.conditions.Width, g.conditions.Height
	centreX, centreY := (w-1)/2, (h-1)/2
	away := x < headX && headX < centreX || centreX < headX && headX < x ||
		y < headY && headY < centreY || centreY < headY && headY < y
	inside := x != 0 && x != w-1 || y != 0 && y != h-1
	if !away || !inside || x == centreX && y == centreY {
		return false
	}
	c := g.state.Geo.Cell(x, y)
	return c >= 0 && !g.state.Food[c]
}
