package weights

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const shipped = "../config.yaml"

// text is the shipped file, with the values that the tests spoil set to known ones: tuning changes those shipped.
func text(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	known := string(b)
	for key, value := range map[string]string{"room_need": "1.0", "solo_depth": "4", "keep_partial": "true"} {
		known = regexp.MustCompile(`(?m)^(  `+key+`:) \S+`).ReplaceAllString(known, "${1} "+value)
	}
	return known
}

func TestShippedConfig(t *testing.T) {
	w, err := ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if w.Search.DuelBudget < 2 || !w.Space.BodiesVacate || w.Outcome.Death == 0 {
		t.Errorf("values of each kind did not arrive: %+v", w)
	}
}

// TestEveryKeyIsDocumented holds the comment beside each key to the declared range: the tuner and the user read it there.
func TestEveryKeyIsDocumented(t *testing.T) {
	line := regexp.MustCompile(`^  ([\w.]+): (\S+)  # \[(\S+), (\S+)\] [^;]+; .{10,}$`)
	documented := map[string]string{}
	section := ""
	for _, l := range strings.Split(text(t), "\n") {
		if m := line.FindStringSubmatch(l); m != nil {
			documented[section+"."+m[1]] = m[3] + " " + m[4]
		} else if strings.HasSuffix(l, ":") && !strings.HasPrefix(l, "#") {
			section = strings.TrimSuffix(l, ":")
		} else if strings.HasPrefix(l, " ") {
			t.Errorf("line is not documented as the others are: %s", l)
		}
	}
	declared := map[string]string{}
	weights := reflect.TypeFor[Weights]()
	for i := range weights.NumField() {
		group := weights.Field(i)
		if group.Type.Kind() != reflect.Struct {
			continue
		}
		for k := range group.Type.NumField() {
			field := group.Type.Field(k)
			span := field.Tag.Get("min") + " " + field.Tag.Get("max")
			if field.Type.Kind() == reflect.Bool {
				span = "false true"
			} else {
				bounds(field) // panics if there are none
			}
			declared[group.Tag.Get("yaml")+"."+field.Tag.Get("yaml")] = span
		}
	}
	for name, span := range documented {
		if of, crowd := strings.CutPrefix(name, "crowd."); crowd {
			if delete(documented, name); span != declared[of] {
				t.Errorf("%s is documented as %s, declared as %q", name, span, declared[of])
			}
		}
	}
	if !reflect.DeepEqual(documented, declared) {
		t.Errorf("documented %v\ndeclared %v", documented, declared)
	}
	if len(declared) < 40 {
		t.Errorf("only %d weights", len(declared))
	}
}

func TestFaultsAreNamed(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"  room_need:", "  rom_need:", `unknown or repeated key "space.rom_need"`},
		{"  room_need:", "  rom_need:", `key "space.room_need" is missing`},
		{"trap:", "tarp:", `unknown or repeated key "tarp"`},
		{"trap:", "tarp:", `key "trap" is missing`},
		{"  room_need: 1.0", "  room_need: .nan", `"space.room_need" must be a finite number, not ".nan"`},
		{"  room_need: 1.0", "  room_need: .inf", `"space.room_need" must be a finite number`},
		{"  room_need: 1.0", "  room_need: '1'", `"space.room_need" must be a finite number`},
		{"  room_need: 1.0", "  room_need: [1]", `"space.room_need" must be a finite number, not a list`},
		{"  room_need: 1.0", "  room_need: 3.5", `"space.room_need" is 3.5, outside its range 0 to 3`},
		{"  room_need: 1.0", "  room_need:", `"space.room_need" must be a finite number, not ""`},
		{"  solo_depth: 4", "  solo_depth: 4.5", `"search.solo_depth" must be a whole number, not "4.5"`},
		{"  solo_depth: 4", "  solo_depth: 99999999999999999999", `"search.solo_depth" must be a whole number`},
		{"  solo_depth: 4", "  solo_depth: 0", `"search.solo_depth" is 0, outside its range 1 to 24`},
		{"  keep_partial: true", "  keep_partial: 1", `"search.keep_partial" must be true or false, not "1"`},
	} {
		whole := text(t)
		broken := strings.Replace(whole, c.old, c.new, 1)
		if broken == whole {
			t.Fatalf("the shipped file has no %q", c.old)
		}
		line := 1 + strings.Count(whole[:strings.Index(whole, c.old)], "\n")
		_, err := Parse("my.yaml", []byte(broken))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives %v, want %q", c.new, err, c.want)
		} else if !strings.Contains(c.want, "missing") && !strings.Contains(err.Error(), fmt.Sprintf("my.yaml:%d: ", line)) {
			t.Errorf("%v does not name my.yaml:%d", err, line)
		}
	}
}

func TestNoWeightsAtAll(t *testing.T) {
	for content, want := range map[string]string{"": "is empty", "- 1": "keys and values", "a: [": "not readable as YAML",
		"space: 3": "space must hold keys and values", "search: {duel_depth: 1, duel_depth: 2}": `unknown or repeated key "search.duel_depth"`} {
		if _, err := Parse("my.yaml", []byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", content, err, want)
		}
	}
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := ReadFile(missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing file gives %v", err)
	}
}

// TestWholeNumbersAreNumbers: a tuner may write 2 for 2.0.
func TestWholeNumbersAreNumbers(t *testing.T) {
	w, err := Parse("my.yaml", []byte(strings.Replace(text(t), "  room_need: 1.0", "  room_need: 2", 1)))
	if err != nil || w.Space.RoomNeed != 2 {
		t.Errorf("got %v", err)
	}
}

func TestCrowdsWeightsAreRead(t *testing.T) {
	common, _, _ := strings.Cut(text(t), "\ncrowd:\n")
	parse := func(crowd string) (*Weights, error) { return Parse("my.yaml", []byte(common+"\n"+crowd)) }
	w, err := parse("crowd:\n  space.room_need: 2.5\n  food.hunger_health: 7\n  space.tails_grow: true\n")
	if err != nil {
		t.Fatal(err)
	}
	var memory Weights
	if w.Among(2, &memory) != w {
		t.Error("a duel has other weights")
	}
	among := w.Among(3, &memory)
	if among.Space.RoomNeed != 2.5 || among.Food.HungerHealth != 7 || !among.Space.TailsGrow {
		t.Errorf("the crowd's weights did not arrive: %+v", among)
	}
	if w.Space.RoomNeed != 1 || among.Search != w.Search || among.Outcome != w.Outcome {
		t.Error("other weights were changed")
	}
	w.Search.CrowdBudget = 77
	if w.Among(4, &memory).Search.CrowdBudget != 77 {
		t.Error("the weights of the moment do not count")
	}
	if made := testing.AllocsPerRun(100, func() { w.Among(3, &memory) }); made > 0 {
		t.Errorf("%g allocations", made)
	}
	if w, err = parse(""); err != nil || w.Among(3, &memory) != w {
		t.Errorf("without a section: %v", err)
	}
	for crowd, want := range map[string]string{
		"crowd: 3\n":                                               "crowd must hold keys and values",
		"crowd:\n  space.rom_need: 1.0\n":                          `unknown or repeated key "crowd.space.rom_need"`,
		"crowd:\n  space: 1.0\n":                                   `unknown or repeated key "crowd.space"`,
		"crowd:\n  search.duel_budget: 9\n":                        `unknown or repeated key "crowd.search.duel_budget"`,
		"crowd:\n  crowd.space.room_need: 1.0\n":                   `unknown or repeated key`,
		"crowd:\n  space.room_need: 1.0\n  space.room_need: 2.0\n": `unknown or repeated key "crowd.space.room_need"`,
		"crowd:\n  space.room_need: 3.5\n":                         `"crowd.space.room_need" is 3.5, outside its range 0 to 3`,
		"crowd:\n  food.hunger_health: 1.5\n":                      `"crowd.food.hunger_health" must be a whole number`,
		"crowd:\n  space.tails_grow: 1\n":                          `"crowd.space.tails_grow" must be true or false`,
	} {
		if _, err := parse(crowd); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", crowd, err, want)
		}
	}
}
