package accuracy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Classes finds the classes of a model by what people call them.
type Classes struct {
	n      int
	labels []string
	whole  map[string][]int // by a whole label
	parts  map[string][]int // by one of its comma-separated names
	wordID map[string][]int // by WordNet synset
}

// kind is how a text names a class.
type kind int

const (
	byAny kind = iota
	byID
	bySynset
	byLabel
)

// synset is a WordNet id, alone or before other names.
var synset = regexp.MustCompile(`(?i)^n\d{8}\b`)

// NewClasses returns the classes of a model: n of them, with these labels, where there are some.
func NewClasses(n int, labels []string) *Classes {
	c := &Classes{n: n, labels: labels, whole: map[string][]int{}, parts: map[string][]int{}, wordID: map[string][]int{}}
	for i, label := range labels {
		if i >= n {
			break
		}
		name := plain(label)
		if id := synset.FindString(name); id != "" {
			c.wordID[id] = append(c.wordID[id], i)
			name = plain(strings.TrimLeft(strings.TrimPrefix(name, id), ":,-\t "))
		}
		if name == "" {
			continue
		}
		c.whole[name] = append(c.whole[name], i)
		seen := map[string]bool{}
		for part := range strings.SplitSeq(name, ",") {
			if part = plain(part); part != "" && !seen[part] {
				seen[part] = true
				c.parts[part] = append(c.parts[part], i)
			}
		}
	}
	return c
}

// plain is a name without what people write in different ways: case, spaces around it, "_" for a space.
func plain(name string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.ToLower(name), "_", " ")), " ")
}

// AddSynsets names classes by WordNet synsets, from lines such as "n02123045 tabby, tabby cat" of a file beside the
// images. It returns how many it could match by their names.
func (c *Classes) AddSynsets(text string) int {
	added := 0
	for line := range strings.Lines(text) {
		name := plain(line)
		id := synset.FindString(name)
		if id == "" || len(c.wordID[id]) > 0 {
			continue
		}
		if class, err := c.find(strings.TrimLeft(strings.TrimPrefix(name, id), ":,; "), byLabel); err == nil {
			c.wordID[id] = append(c.wordID[id], class)
			added++
		}
	}
	return added
}

// find returns the class with that name. The error is a sentence on why there is none, or more than one.
func (c *Classes) find(text string, by kind) (int, error) {
	name := plain(text)
	var found []int
	if by == byID || by == byAny {
		id, err := strconv.Atoi(name)
		switch {
		case err == nil && id >= 0 && id < c.n:
			found = append(found, id)
		case err == nil && by == byID:
			return 0, fmt.Errorf("the model has the classes 0 to %d", c.n-1)
		case by == byID:
			return 0, fmt.Errorf("%q is not the number of a class", text)
		}
	}
	if by == bySynset || by == byAny {
		found = append(found, c.wordID[synset.FindString(name)]...)
	}
	if by == byLabel || by == byAny {
		found = append(found, c.byName(name)...)
	}
	return one(found, text)
}

// byName returns the classes with that label, or else those that have it as one of several names.
func (c *Classes) byName(name string) []int {
	if classes := c.whole[name]; len(classes) > 0 {
		return classes
	}
	return c.parts[name]
}

// one returns the only class of those found.
func one(found []int, text string) (int, error) {
	if len(found) == 0 {
		return 0, fmt.Errorf("no class of the model has this name")
	}
	for _, class := range found[1:] {
		if class != found[0] {
			return 0, fmt.Errorf("%q names the classes %d and %d; use their numbers (class_id)", text, found[0], class)
		}
	}
	return found[0], nil
}

// Name returns the label of a class, or "class N": the first of several names, with the number where others begin
// with the same one.
func (c *Classes) Name(class int) string {
	if class < 0 || class >= len(c.labels) || strings.TrimSpace(c.labels[class]) == "" {
		return fmt.Sprintf("class %d", class)
	}
	first, _, _ := strings.Cut(c.labels[class], ",")
	first = strings.TrimSpace(first)
	if len(c.parts[plain(first)]) > 1 {
		return fmt.Sprintf("%s (%d)", first, class)
	}
	return first
}
