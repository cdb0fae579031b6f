package api

import (
	"encoding/json"
	"fmt"
	"strings"
)

// maxDepth bounds the nesting of skipped values, as encoding/json does.
const maxDepth = 1000

// scanner walks through JSON text. After the first error it reads nothing more and every loop over it ends.
type scanner struct {
	text  string
	at    int
	depth int
	err   error
}

func (s *scanner) fail(what string) {
	if s.err == nil {
		s.err = fmt.Errorf("request is not as the API has it: %s at byte %d", what, s.at)
	}
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek skips blanks and returns the next byte, 0 at the end or after an error.
func (s *scanner) peek() byte {
	if s.err != nil {
		return 0
	}
	s.space()
	if s.at >= len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// null reads a null if one is next.
func (s *scanner) null() bool {
	if s.peek() == 'n' && strings.HasPrefix(s.text[s.at:], "null") {
		s.at += len("null")
		return true
	}
	return false
}

// open enters an object and returns its first key; more is false when it is empty or null, or on an error.
func (s *scanner) open() (key string, more bool) {
	if s.null() {
		return "", false
	}
	if !s.enter('{', "an object is missing") {
		return "", false
	}
	if s.peek() == '}' {
		s.leave()
		return "", false
	}
	return s.key()
}

// next returns the following key of the object entered last, or false at its end.
func (s *scanner) next() (key string, more bool) {
	switch s.peek() {
	case ',':
		s.at++
		return s.key()
	case '}':
		s.leave()
	default:
		s.fail("a comma or closing brace is missing")
	}
	return "", false
}

func (s *scanner) key() (string, bool) {
	key := s.quoted()
	if s.peek() != ':' {
		s.fail("a colon is missing")
		return "", false
	}
	s.at++
	return key, s.err == nil
}

// openList enters a list and reports whether an item follows.
func (s *scanner) openList() bool {
	if s.null() {
		return false
	}
	if !s.enter('[', "a list is missing") {
		return false
	}
	if s.peek() == ']' {
		s.leave()
		return false
	}
	return s.err == nil
}

// nextItem reports whether another item follows in the list entered last.
func (s *scanner) nextItem() bool {
	switch s.peek() {
	case ',':
		s.at++
		return true
	case ']':
		s.leave()
	default:
		s.fail("a comma or closing bracket is missing")
	}
	return false
}

func (s *scanner) enter(bracket byte, otherwise string) bool {
	if s.peek() != bracket {
		s.fail(otherwise)
		return false
	}
	if s.depth++; s.depth > maxDepth {
		s.fail("values are nested too deep")
		return false
	}
	s.at++
	return true
}

func (s *scanner) leave() {
	s.at++
	s.depth--
}

// word reads a string value; null is empty.
func (s *scanner) word() string {
	if s.null() {
		return ""
	}
	return s.quoted()
}

// quoted reads a string, sharing the text's memory unless it holds escapes or bytes that are not plain ASCII.
func (s *scanner) quoted() string {
	if s.peek() != '"' {
		s.fail("a string is missing")
		return ""
	}
	start := s.at
	plain := true
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			if plain {
				return s.text[start+1 : s.at-1]
			}
			return s.unquote(start)
		case c == '\\':
			plain = false
			s.at++
		case c < ' ':
			s.fail("a control character stands in a string")
			return ""
		case c >= 0x80:
			plain = false
		}
	}
	s.fail("a string does not end")
	return ""
}

// unquote leaves the rare strings with escapes or other than ASCII to encoding/json.
func (s *scanner) unquote(start int) string {
	var word string
	if err := json.Unmarshal([]byte(s.text[start:s.at]), &word); err != nil {
		s.fail("a string is malformed")
	}
	return word
}

// integer reads a whole number of at most nine digits; null is 0.
func (s *scanner) integer() int {
	if s.null() {
		return 0
	}
	negative := s.peek() == '-'
	if negative {
		s.at++
	}
	start, value := s.at, 0
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		if s.at-start >= 9 {
			s.fail("a number is too large")
			return 0
		}
		value = value*10 + int(s.text[s.at]-'0')
		s.at++
	}
	if s.at == start || (s.text[start] == '0' && s.at-start > 1) || s.fraction() {
		s.fail("a whole number is missing")
		return 0
	}
	if negative {
		return -value
	}
	return value
}

// fraction reports whether the number just read goes on with a fraction or an exponent.
func (s *scanner) fraction() bool {
	return s.at < len(s.text) && strings.IndexByte(".eE", s.text[s.at]) >= 0
}

// skip reads over any value, checking that it is JSON.
func (s *scanner) skip() {
	switch c := s.peek(); {
	case c == '{':
		for _, more := s.open(); more; _, more = s.next() {
			s.skip()
		}
	case c == '[':
		for more := s.openList(); more; more = s.nextItem() {
			s.skip()
		}
	case c == '"':
		s.quoted()
	case c == '-' || (c >= '0' && c <= '9'):
		s.number()
	default:
		for _, literal := range [3]string{"true", "false", "null"} {
			if strings.HasPrefix(s.text[s.at:], literal) && s.err == nil {
				s.at += len(literal)
				return
			}
		}
		s.fail("a value is missing")
	}
}

// number reads over any JSON number.
func (s *scanner) number() {
	start := s.at
	for s.at < len(s.text) && strings.IndexByte("+-.eE0123456789", s.text[s.at]) >= 0 {
		s.at++
	}
	if !json.Valid([]byte(s.text[start:s.at])) {
		s.fail("a number is malformed")
	}
}
