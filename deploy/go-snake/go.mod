module ouroboros-snake

go 1.24

require (
	gopkg.in/yaml.v3 v3.0.1
	ouroboros-arena v0.0.0
)

replace ouroboros-arena => ./arena
