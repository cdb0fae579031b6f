// Package weights declares every weight the snake decides by, and loads them from YAML.
//
// A weight is declared once, here: its name and range are in the field's tags, its kind is the field's type, its meaning
// stands in config.yaml beside its value.
package weights

// Weights is the whole configuration. Values are points of the position's score unless the YAML says otherwise.
type Weights struct {
	Search   Search   `yaml:"search"`
	Outcome  Outcome  `yaml:"outcome"`
	Space    Space    `yaml:"space"`
	Trap     Trap     `yaml:"trap"`
	Food     Food     `yaml:"food"`
	Length   Length   `yaml:"length"`
	Heads    Heads    `yaml:"heads"`
	Position Position `yaml:"position"`
	Tail     Tail     `yaml:"tail"`
	Hazard   Hazard   `yaml:"hazard"`
	Predict  Predict  `yaml:"predict"`
	Phase    Phase    `yaml:"phase"`
	Crowd    Crowd    `yaml:"crowd"`
}

// Search is how far and how gloomily the snake looks ahead.
type Search struct {
	DuelBudget          int     `yaml:"duel_budget" min:"1" max:"1000000"`
	CrowdBudget         int     `yaml:"crowd_budget" min:"1" max:"1000000"`
	DuelDepth           int     `yaml:"duel_depth" min:"1" max:"24"`
	CrowdDepth          int     `yaml:"crowd_depth" min:"1" max:"24"`
	SoloDepth           int     `yaml:"solo_depth" min:"1" max:"24"`
	ForcedTurns         int     `yaml:"forced_turns" min:"0" max:"6"`
	ReplySnakes         int     `yaml:"reply_snakes" min:"0" max:"8"`
	ReplyRadius         int     `yaml:"reply_radius" min:"1" max:"40"`
	DuelPessimism       float64 `yaml:"duel_pessimism" min:"0" max:"1"`
	DuelPessimismLater  float64 `yaml:"duel_pessimism_later" min:"0" max:"1"`
	CrowdPessimism      float64 `yaml:"crowd_pessimism" min:"0" max:"1"`
	CrowdPessimismLater float64 `yaml:"crowd_pessimism_later" min:"0" max:"1"`
	KeepPartial         bool    `yaml:"keep_partial"`
	TimeShare           float64 `yaml:"time_share" min:"0" max:"0.9"`
	Threads             int     `yaml:"threads" min:"1" max:"16"`
}

// Outcome is what the end of a game, or of a snake, is worth.
type Outcome struct {
	Death float64 `yaml:"death" min:"0" max:"20000"`
	Win   float64 `yaml:"win" min:"0" max:"20000"`
	Draw  float64 `yaml:"draw" min:"-20000" max:"20000"`
	Kill  float64 `yaml:"kill" min:"0" max:"2000"`
	Delay float64 `yaml:"delay" min:"0" max:"500"`
}

// Space is the value of ground that one snake reaches before the others.
type Space struct {
	AreaDuel          float64 `yaml:"area_duel" min:"0" max:"1000"`
	AreaCrowd         float64 `yaml:"area_crowd" min:"0" max:"1000"`
	AreaConstrictor   float64 `yaml:"area_constrictor" min:"0" max:"1000"`
	AreaSealed        float64 `yaml:"area_sealed" min:"0" max:"1000"`
	OpponentAreaDuel  float64 `yaml:"opponent_area_duel" min:"0" max:"3"`
	OpponentAreaCrowd float64 `yaml:"opponent_area_crowd" min:"0" max:"3"`
	Contested         float64 `yaml:"contested" min:"-300" max:"300"`
	RoomNeed          float64 `yaml:"room_need" min:"0" max:"3"`
	RoomShortage      float64 `yaml:"room_shortage" min:"0" max:"2000"`
	TailRelief        float64 `yaml:"tail_relief" min:"0" max:"1"`
	NoExit            float64 `yaml:"no_exit" min:"0" max:"2000"`
	OneExit           float64 `yaml:"one_exit" min:"0" max:"300"`
	ExtraExit         float64 `yaml:"extra_exit" min:"0" max:"100"`
	EdgeCell          float64 `yaml:"edge_cell" min:"0" max:"2"`
	CorridorDiscount  float64 `yaml:"corridor_discount" min:"0" max:"1"`
	Parity            float64 `yaml:"parity" min:"0" max:"1"`
	BodiesVacate      bool    `yaml:"bodies_vacate"`
	TailsGrow         bool    `yaml:"tails_grow"`
}

// Trap is the reward for opponents in need of room.
type Trap struct {
	DuelShortage  float64 `yaml:"duel_shortage" min:"0" max:"2000"`
	CrowdShortage float64 `yaml:"crowd_shortage" min:"0" max:"2000"`
	NoExit        float64 `yaml:"no_exit" min:"0" max:"2000"`
	OneExit       float64 `yaml:"one_exit" min:"0" max:"300"`
	EdgePin       float64 `yaml:"edge_pin" min:"0" max:"100"`
	OnlyLonger    bool    `yaml:"only_longer"`
}

// Food is hunger and the pull of food.
type Food struct {
	Hunger       float64 `yaml:"hunger" min:"0" max:"500"`
	HungerCurve  float64 `yaml:"hunger_curve" min:"0.2" max:"8"`
	HungerHealth int     `yaml:"hunger_health" min:"1" max:"100"`
	Pull         float64 `yaml:"pull" min:"0" max:"1"`
	RivalPull    float64 `yaml:"rival_pull" min:"0" max:"1"`
	Decay        float64 `yaml:"decay" min:"0.3" max:"0.99"`
	Contested    float64 `yaml:"contested" min:"0" max:"1"`
	Starvation   float64 `yaml:"starvation" min:"0" max:"2000"`
	Territory    float64 `yaml:"territory" min:"0" max:"50"`
	Denial       float64 `yaml:"denial" min:"0" max:"300"`
	SoloGrowth   float64 `yaml:"solo_growth" min:"-100" max:"100"`
	EdgeDiscount float64 `yaml:"edge_discount" min:"0" max:"1"`
}

// Length is the value of being longer than the longest opponent.
type Length struct {
	BehindDuel  float64 `yaml:"behind_duel" min:"0" max:"500"`
	AheadDuel   float64 `yaml:"ahead_duel" min:"0" max:"500"`
	BehindCrowd float64 `yaml:"behind_crowd" min:"0" max:"500"`
	AheadCrowd  float64 `yaml:"ahead_crowd" min:"0" max:"500"`
	TargetLead  int     `yaml:"target_lead" min:"0" max:"20"`
}

// Heads is the fear of longer heads and the wish to meet shorter ones.
type Heads struct {
	FearDuel   float64 `yaml:"fear_duel" min:"0" max:"200"`
	FearCrowd  float64 `yaml:"fear_crowd" min:"0" max:"200"`
	HuntDuel   float64 `yaml:"hunt_duel" min:"0" max:"200"`
	HuntCrowd  float64 `yaml:"hunt_crowd" min:"0" max:"200"`
	Radius     int     `yaml:"radius" min:"1" max:"20"`
	HuntMargin int     `yaml:"hunt_margin" min:"1" max:"10"`
}

// Position is where on the board the head likes to be.
type Position struct {
	CentreEarly float64 `yaml:"centre_early" min:"-200" max:"200"`
	CentreLate  float64 `yaml:"centre_late" min:"-200" max:"200"`
	Edge        float64 `yaml:"edge" min:"0" max:"200"`
	Corner      float64 `yaml:"corner" min:"0" max:"200"`
}

// Tail is the comfort of one's own tail.
type Tail struct {
	Reach       float64 `yaml:"reach" min:"0" max:"300"`
	ChaseDuel   float64 `yaml:"chase_duel" min:"0" max:"200"`
	ChaseCrowd  float64 `yaml:"chase_crowd" min:"0" max:"200"`
	ChaseHealth int     `yaml:"chase_health" min:"0" max:"100"`
}

// Hazard is what hazard cells cost beyond their damage.
type Hazard struct {
	Inside       float64 `yaml:"inside" min:"0" max:"500"`
	LowHealth    float64 `yaml:"low_health" min:"0" max:"1000"`
	AreaDiscount float64 `yaml:"area_discount" min:"0" max:"1"`
	Food         float64 `yaml:"food" min:"0" max:"1"`
	Healing      float64 `yaml:"healing" min:"0" max:"300"`
}

// Predict is the model of an opponent whose replies are not all tried.
type Predict struct {
	Exits    float64 `yaml:"exits" min:"0" max:"50"`
	Food     float64 `yaml:"food" min:"0" max:"50"`
	Fear     float64 `yaml:"fear" min:"0" max:"100"`
	Attack   float64 `yaml:"attack" min:"0" max:"100"`
	Straight float64 `yaml:"straight" min:"0" max:"20"`
}

// Phase bends other weights as bodies fill the board.
type Phase struct {
	EarlyFill   float64 `yaml:"early_fill" min:"0" max:"0.5"`
	LateFill    float64 `yaml:"late_fill" min:"0.05" max:"1"`
	AreaEarly   float64 `yaml:"area_early" min:"0" max:"4"`
	AreaLate    float64 `yaml:"area_late" min:"0" max:"4"`
	GrowthEarly float64 `yaml:"growth_early" min:"0" max:"4"`
	GrowthLate  float64 `yaml:"growth_late" min:"0" max:"4"`
}
