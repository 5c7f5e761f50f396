package models

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"edgelens"
)

// The bounds of a list of labels. ImageNet's has 21,686 bytes and 1001 names.
const (
	maxLabelsBytes = 4 << 20
	maxLabels      = 100_000
	maxLabelBytes  = 1000
)

// labelForm is what the form of a list of labels tells of it, for the sentence where
// their number is wrong. The zero value is that of a plain list.
type labelForm struct {
	// from is the smallest number that the list gives to a class.
	from int
	// numbered is true where the list gives numbers to its classes.
	numbered bool
}

// ParseLabels reads class names, UTF-8, in one of these forms:
//
//   - One a line; line i (from 0) names class i. A byte order mark, CRLF line ends,
//     spaces around a name and blank lines at the end are dropped; a blank line in
//     between is a class without a name, "".
//   - Lines with the number of the class: "12  some name", "12: some name" (Coral's,
//     https://github.com/google-coral/pycoral, pycoral/utils/dataset.py), "12. some
//     name", "12,some name", "some name,12". Every line must have a number, set off
//     by a colon, comma, semicolon, tab, point or two spaces, or they must count
//     0, 1, 2 or 1, 2, 3; names such as "7 of hearts" stay whole.
//   - CSV with a header that names a column of names and, mostly, one of numbers.
//   - JSON: a list of names or of objects with names; an object from numbers to
//     names or from names to numbers; or one that has such under "labels",
//     "names", "classes", "categories", "id2label" or "label2id".
//   - pbtxt as of TensorFlow's object detection: item { id: 1 name: "..." }.
//
// A number is that of the class, which count from 0; classes that are left out have
// the name "". So a list that is numbered from 1 names nothing wrong: it has one
// class more than names, and CheckOutput says so.
//
// The error wraps edgelens.ErrModel: invalid UTF-8, control characters, no label at
// all, a number given twice, a form like these that cannot be read, or more than
// 4 MiB, 100,000 labels or 1,000 bytes a label.
func ParseLabels(data []byte) ([]string, error) {
	names, _, err := parseLabels(data)
	if err != nil {
		return nil, fmt.Errorf("%w: read labels: %w", edgelens.ErrModel, err)
	}
	return names, nil
}

func parseLabels(data []byte) ([]string, labelForm, error) {
	if len(data) > maxLabelsBytes {
		return nil, labelForm{}, fmt.Errorf("the list of labels has more than %d bytes", maxLabelsBytes)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if n := bytes.Count(data, []byte("\n")); n > maxLabels {
		return nil, labelForm{}, fmt.Errorf("the list of labels has %d lines; at most %d can be used", n, maxLabels)
	}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSuffix(line, "\r")
		switch {
		case !utf8.ValidString(line):
			return nil, labelForm{}, fmt.Errorf("line %d of the labels is not valid UTF-8; save the file as UTF-8", i+1)
		case strings.ContainsFunc(line, isControl):
			return nil, labelForm{}, fmt.Errorf("line %d of the labels has a control character; save the file as plain UTF-8 text", i+1)
		}
	}
	names, form, err := readLabels(strings.TrimSpace(string(data)), string(data))
	if err != nil {
		return nil, form, err
	}
	return names, form, checkNames(names)
}

// readLabels reads the form that the text has.
func readLabels(trimmed, text string) ([]string, labelForm, error) {
	switch {
	case trimmed == "":
		return nil, labelForm{}, errors.New("the list of labels is empty")
	case looksLikeJSON(trimmed):
		return jsonLabels([]byte(trimmed))
	case pbtxtStart.MatchString(trimmed):
		return pbtxtLabels(trimmed)
	}
	if names, form, ok, err := csvLabels(trimmed); ok || err != nil {
		return names, form, err
	}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) > maxLabels {
		return nil, labelForm{}, fmt.Errorf("the list of labels has %d lines; at most %d can be used", len(lines), maxLabels)
	}
	if names, form, ok, err := numberedLabels(lines); ok || err != nil {
		return names, form, err
	}
	return lines, labelForm{}, nil
}

func checkNames(names []string) error {
	if len(names) > maxLabels {
		return fmt.Errorf("the list of labels has %d names; at most %d can be used", len(names), maxLabels)
	}
	named := false
	for i, name := range names {
		if len(name) > maxLabelBytes {
			return fmt.Errorf("label %d has %d bytes; at most %d can be used", i, len(name), maxLabelBytes)
		}
		if !utf8.ValidString(name) || strings.ContainsFunc(name, isControl) {
			return fmt.Errorf("label %d has a control character; save the file as plain UTF-8 text", i)
		}
		named = named || name != ""
	}
	if !named {
		return errors.New("the list of labels is empty")
	}
	return nil
}

// isControl is true for what could upset a terminal or a log line. A tab may
// stand between a number and its name.
func isControl(r rune) bool { return r != '\t' && unicode.IsControl(r) }

// numberedName is a name with the number of its class.
type numberedName struct {
	number int
	name   string
}

// byNumber puts each name at its number. The error: a number is given twice, or is out
// of bounds.
func byNumber(list []numberedName) ([]string, labelForm, error) {
	form := labelForm{numbered: true, from: maxLabels}
	last := -1
	for _, n := range list {
		if n.number < 0 || n.number >= maxLabels {
			return nil, form, fmt.Errorf("the labels give the number %d to a class; 0 to %d can be used", n.number, maxLabels-1)
		}
		form.from, last = min(form.from, n.number), max(last, n.number)
	}
	names, given := make([]string, last+1), make([]bool, last+1)
	for _, n := range list {
		if given[n.number] {
			return nil, form, fmt.Errorf("the labels give the number %d to two classes", n.number)
		}
		names[n.number], given[n.number] = n.name, true
	}
	return names, form, nil
}

// The number may come first, or last.
var (
	numberedLine = regexp.MustCompile(`^(\d{1,6})(\s*[:,;]\s*|[.)]\s+|\s+)(\S.*)$`)
	lineNumbered = regexp.MustCompile(`^(.*\S)\s*[:,;\t]\s*(\d{1,6})$`)
)

// numberedLabels reads lines with numbers; false where they are not.
func numberedLabels(lines []string) ([]string, labelForm, bool, error) {
	first, last, ok := []numberedName{}, []numberedName{}, true
	from0, from1, setOff := true, true, true
	for _, line := range lines {
		if line == "" {
			continue
		}
		if m := numberedLine.FindStringSubmatch(line); m != nil {
			number, err := strconv.Atoi(m[1])
			ok = ok && err == nil
			from0, from1 = from0 && number == len(first), from1 && number == len(first)+1
			setOff = setOff && m[2] != " "
			// The expression knows ASCII's spaces only; a name may begin with another.
			first = append(first, numberedName{number, strings.TrimSpace(m[3])})
		} else {
			ok = false
		}
		if m := lineNumbered.FindStringSubmatch(line); m != nil {
			number, err := strconv.Atoi(m[2])
			if err == nil {
				last = append(last, numberedName{number, strings.TrimSpace(m[1])})
			}
		}
	}
	lined := 0
	for _, line := range lines {
		if line != "" {
			lined++
		}
	}
	switch {
	case ok && len(first) > 0 && (setOff || from0 || from1 && len(first) > 1):
		names, form, err := byNumber(first)
		return names, form, true, err
	case len(last) == lined && lined > 1 && countUp(last):
		names, form, err := byNumber(last)
		return names, form, true, err
	}
	return nil, labelForm{}, false, nil
}

// countUp reports whether the numbers are 0 to n-1 or 1 to n in any order: names
// may end in numbers that mean something else.
func countUp(list []numberedName) bool {
	seen := make(map[int]bool, len(list))
	lowest, highest := maxLabels, 0
	for _, n := range list {
		lowest, highest, seen[n.number] = min(lowest, n.number), max(highest, n.number), true
	}
	return len(seen) == len(list) && lowest <= 1 && highest-lowest == len(list)-1
}
