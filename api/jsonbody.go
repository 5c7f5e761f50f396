package api

import (
	"bytes"
	"encoding/json"
)

// member is one member of a JSON object.
type member struct {
	name string
	// value is the text of the value, or its begin where that is longer than maxJSONKept.
	value []byte
	// inner is the same without brackets and white space in front.
	inner []byte
}

// isString reports whether the value is a string.
func (m member) isString() bool { return m.value[0] == '"' }

// jsonMembers returns the members of the object that a short text consists of.
func jsonMembers(text []byte) ([]member, error) {
	r := newJSONReader(bytes.NewReader(text), len(text))
	r.start()
	var members []member
	err := r.members(nil, func(m member) { members = append(members, m) })
	if err != nil {
		return nil, err
	}
	return members, nil
}

// repeatedName returns a name that an object within a valid JSON text has twice.
func repeatedName(text []byte) (name string, twice bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()           // none is too large
	var objects []map[string]bool // the names of each open object; nil for an array
	expectName := func() bool { return len(objects) > 0 && objects[len(objects)-1] != nil }
	isName := false
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", false
		}
		if delimiter, ok := token.(json.Delim); ok {
			switch delimiter {
			case '{':
				objects = append(objects, map[string]bool{})
			case '[':
				objects = append(objects, nil)
			default:
				objects = objects[:len(objects)-1]
			}
			isName = expectName()
			continue
		}
		if isName {
			names, name := objects[len(objects)-1], token.(string)
			if names[name] {
				return name, true
			}
			names[name] = true
			isName = false
			continue
		}
		isName = expectName()
	}
}

// stringContent is a whole string value without its quotes and escapes. It overwrites the
// value.
func stringContent(value []byte) []byte {
	content := value[1 : len(value)-1]
	return unescape(content[:0], content)
}
