package mind

import "gopkg.in/yaml.v3"

// Settings is what of the YAML is read; all else in it is ignored.
type Settings struct {
	Server   struct{ Port int }
	Strategy struct {
		Territory  struct{ Mine, Theirs, Cramped float64 }
		Appetite   struct{ Urgency, Threshold, Idle float64 }
		Encounters struct {
			Losing   float64 `yaml:"losing_head"`
			Winning  float64 `yaml:"winning_head"`
			Cautious bool
		}
		Ground struct{ Edge float64 }
	}
}

// Read the settings from their text.
func Read(text []byte) (*Settings, error) {
	s := new(Settings)
	return s, yaml.Unmarshal(text, s)
}
