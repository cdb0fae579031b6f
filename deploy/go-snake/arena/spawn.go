package arena

// What the seed decides in a turn: the food and hazards of the maps and of the royale ruleset, draw for draw as
// pipeline/engine/spawn.py and maps.py.

const (
	cellTries = 24
	mostCuts  = 32000 // from then on the board is full
)

// drawTurn plays the royale ruleset's stage, then the map's food and hazards, after the rules of turn g.turn + 1.
func (g *game) drawTurn() {
	if g.conditions.Ruleset == "royale" {
		g.shrinkRoyale(true)
	}
	if g.conditions.Map == mapEmpty {
		return
	}
	g.spawnFood()
	if g.conditions.Map == mapRoyale {
		g.shrinkRoyale(false)
	}
}

func (g *game) spawnFood() {
	needed := g.conditions.Numbers.MinimumFood - len(g.food)
	if needed <= 0 {
		// A chance of c means (c - 1) %, as in the official engine.
		chance := g.conditions.Numbers.FoodSpawnChance
		if chance <= 1 || 100-streamOf(g.seed, g.turn, foodDicePurpose).draw(0, 100) >= chance {
			return
		}
		needed = 1
	}
	key := streamOf(g.seed, g.turn, foodCellPurpose)
	for index := range needed {
		c := g.randomFoodCell(key, index)
		if c < 0 {
			return
		}
		g.addFood(c)
	}
}

// randomFoodCell is a uniform cell on which food may appear, or -1 where there is none. It draws cells until one fits,
// and on a crowded board chooses among a full count: both are uniform.
func (g *game) randomFoodCell(key stream, index int) int16 {
	at := index * (cellTries + 1)
	for attempt := range cellTries {
		if c := g.spot(key.draw(at+attempt, g.state.Geo.Cells)); g.mayHoldFood(c) {
			return c
		}
	}
	free := 0
	for spot := range g.state.Geo.Cells {
		if g.mayHoldFood(g.spot(spot)) {
			free++
		}
	}
	if free == 0 {
		return -1
	}
	chosen := key.draw(at+cellTries, free)
	for spot := range g.state.Geo.Cells {
		if c := g.spot(spot); g.mayHoldFood(c) {
			if chosen == 0 {
				return c
			}
			chosen--
		}
	}
	return -1
}

// spot is the cell of a number that counts column by column.
func (g *game) spot(number int) int16 {
	return int16(g.state.Geo.Cell(number/g.conditions.Height, number%g.conditions.Height))
}

// taken reports whether there is food or a living body on a cell.
func (g *game) taken(c int16) bool {
	owner := g.state.Owner[c]
	return g.state.Food[c] || owner >= 0 && g.state.Snakes[owner].Alive
}

// mayHoldFood reports whether food may appear on a cell: nothing there, and beside no living head (never counted
// across the edge).
func (g *game) mayHoldFood(c int16) bool {
	if g.taken(c) {
		return false
	}
	x, y := g.state.Geo.X[c], g.state.Geo.Y[c]
	for i := range g.state.Snakes {
		if snake := &g.state.Snakes[i]; snake.Alive {
			dx, dy := g.state.Geo.X[snake.Head]-x, g.state.Geo.Y[snake.Head]-y
			if dx*dx+dy*dy == 1 {
				return false
			}
		}
	}
	return true
}

// shrinkRoyale redraws the closing hazards: (turn + 1) / shrink rows and columns cut, the same each turn. clearEarly
// also empties the hazards before the first cut, as the ruleset does and the map does not.
func (g *game) shrinkRoyale(clearEarly bool) {
	cuts := min((g.turn+1)/g.conditions.Numbers.ShrinkEveryNTurns, mostCuts)
	if cuts == g.cuts || cuts == 0 && !clearEarly {
		return
	}
	g.cuts = cuts
	w, h := g.conditions.Width, g.conditions.Height
	left, right, bottom, top := 0, w-1, 0, h-1
	key := streamOf(g.seed, 0, hazardMapPurpose)
	for index := range cuts {
		switch key.draw(index, 4) {
		case 0:
			left++
		case 1:
			right--
		case 2:
			bottom++
		default:
			top--
		}
	}
	g.state.ClearHazards()
	for x := range w {
		for y := range h {
			if x < left || x > right || y < bottom || y > top {
				g.state.AddHazard(int16(g.state.Geo.Cell(x, y)))
			}
		}
	}
}

func (g *game) addFood(c int16) {
	g.state.AddFood(c)
	g.food = append(g.food, c)
}

func (g *game) clearFood() {
	clear(g.state.Food)
	g.food = g.food[:0]
}
