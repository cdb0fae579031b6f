package weights

import (
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// Crowd holds the weights that have another value in decisions made while more than two snakes live: the section `crowd`
// of the file, whose keys are whole names (`space.room_need`). It may be absent, and names no weight of `search`, which
// has keys of its own for crowds.
type Crowd []override

// override is the value of one weight; section and key are its places among the fields.
type override struct {
	section, key int
	value        reflect.Value
}

// Among returns the weights to decide by while so many snakes live: w itself, or a copy of it in the memory given, which
// a further call may overwrite. It allocates nothing.
func (w *Weights) Among(living int, memory *Weights) *Weights {
	if living <= 2 || len(w.Crowd) == 0 {
		return w
	}
	*memory = *w
	memory.Crowd = nil
	fields := reflect.ValueOf(memory).Elem()
	for _, o := range w.Crowd {
		fields.Field(o.section).Field(o.key).Set(o.value)
	}
	return memory
}

// crowd fills the overrides from a mapping node.
func (l *loader) crowd(node *yaml.Node, target reflect.Value) {
	if node.Kind != yaml.MappingNode {
		l.fault(node.Line, "crowd must hold keys and values")
		return
	}
	var found Crowd
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		section, place, known := placeOf(key.Value)
		if !known || seen[key.Value] {
			l.fault(key.Line, "unknown or repeated key %q; remove it or correct its spelling", "crowd."+key.Value)
			continue
		}
		seen[key.Value] = true
		field := reflect.TypeFor[Weights]().Field(section).Type.Field(place)
		own := reflect.New(field.Type).Elem()
		l.value("crowd."+key.Value, value, field, own)
		found = append(found, override{section, place, own})
	}
	target.Set(reflect.ValueOf(found))
}

// placeOf finds the weight called `section.key` among the fields; those of `search` are not known here.
func placeOf(name string) (section, key int, known bool) {
	group, own, _ := strings.Cut(name, ".")
	all := reflect.TypeFor[Weights]()
	for i := range all.NumField() {
		if field := all.Field(i); field.Tag.Get("yaml") == group && field.Type.Kind() == reflect.Struct && group != "search" {
			for k := range field.Type.NumField() {
				if field.Type.Field(k).Tag.Get("yaml") == own {
					return i, k, true
				}
			}
		}
	}
	return 0, 0, false
}
