package weights

import (
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// ReadFile loads the weights from a YAML file. Errors name the file, the line and the key, and say what to do.
func ReadFile(path string) (*Weights, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot read the weights: %w", path, err)
	}
	return Parse(path, text)
}

// Parse loads the weights from YAML text; name stands for the text in errors. All faults found are reported at once.
// Unknown and missing keys, wrong types, NaN, infinities and values out of range are faults.
func Parse(name string, text []byte) (*Weights, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: not readable as YAML: %w", name, err)
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s: is empty; start from the config.yaml that comes with the snake", name)
	}
	w := new(Weights)
	l := loader{name: name}
	l.section("", doc.Content[0], reflect.ValueOf(w).Elem())
	if len(l.faults) > 0 {
		return nil, errors.Join(l.faults...)
	}
	return w, nil
}

type loader struct {
	name   string
	faults []error
}

func (l *loader) fault(line int, format string, args ...any) {
	l.faults = append(l.faults, fmt.Errorf("%s:%d: %s", l.name, line, fmt.Sprintf(format, args...)))
}

// section fills a struct from a mapping node.
func (l *loader) section(prefix string, node *yaml.Node, target reflect.Value) {
	where := strings.TrimSuffix(prefix, ".")
	if where == "" {
		where = "the file"
	}
	if node.Kind != yaml.MappingNode {
		l.fault(node.Line, "%s must hold keys and values", where)
		return
	}
	fields := map[string]int{}
	for i := range target.NumField() {
		fields[target.Type().Field(i).Tag.Get("yaml")] = i
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		index, known := fields[key.Value]
		if !known {
			l.fault(key.Line, "unknown or repeated key %q; remove it or correct its spelling", prefix+key.Value)
			continue
		}
		delete(fields, key.Value)
		field := target.Type().Field(index)
		switch field.Type.Kind() {
		case reflect.Struct:
			l.section(prefix+key.Value+".", value, target.Field(index))
		case reflect.Slice:
			l.crowd(value, target.Field(index))
		default:
			l.value(prefix+key.Value, value, field, target.Field(index))
		}
	}
	missing := make([]string, 0, len(fields))
	for name, index := range fields {
		if target.Field(index).Kind() == reflect.Slice {
			continue // a crowd without weights of its own
		}
		missing = append(missing, prefix+name)
	}
	sort.Strings(missing)
	for _, name := range missing {
		l.fault(node.Line, "key %q is missing; add it (the snake's own config.yaml shows a good value)", name)
	}
}

// value fills one weight from a scalar node.
func (l *loader) value(path string, node *yaml.Node, field reflect.StructField, target reflect.Value) {
	tag := node.ShortTag()
	if node.Kind != yaml.ScalarNode {
		tag = "a list or section"
	}
	switch field.Type.Kind() {
	case reflect.Bool:
		var v bool
		if tag != "!!bool" || node.Decode(&v) != nil {
			l.fault(node.Line, "key %q must be true or false, not %s", path, shown(node, tag))
			return
		}
		target.SetBool(v)
	case reflect.Int:
		var v int64
		if tag != "!!int" || node.Decode(&v) != nil {
			l.fault(node.Line, "key %q must be a whole number, not %s", path, shown(node, tag))
			return
		}
		if l.inRange(path, node, field, float64(v)) {
			target.SetInt(v)
		}
	case reflect.Float64:
		var v float64
		if (tag != "!!float" && tag != "!!int") || node.Decode(&v) != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			l.fault(node.Line, "key %q must be a finite number, not %s", path, shown(node, tag))
			return
		}
		if l.inRange(path, node, field, v) {
			target.SetFloat(v)
		}
	}
}

func shown(node *yaml.Node, tag string) string {
	if node.Kind == yaml.ScalarNode {
		return strconv.Quote(node.Value)
	}
	return tag
}

func (l *loader) inRange(path string, node *yaml.Node, field reflect.StructField, v float64) bool {
	low, high := bounds(field)
	if v < low || v > high {
		l.fault(node.Line, "key %q is %s, outside its range %g to %g", path, node.Value, low, high)
		return false
	}
	return true
}

// bounds reads a numeric field's range from its tags; a missing tag is a fault of the program, found by the tests.
func bounds(field reflect.StructField) (low, high float64) {
	low, errLow := strconv.ParseFloat(field.Tag.Get("min"), 64)
	high, errHigh := strconv.ParseFloat(field.Tag.Get("max"), 64)
	if errLow != nil || errHigh != nil {
		panic("weights: field " + field.Name + " declares no range")
	}
	return low, high
}
