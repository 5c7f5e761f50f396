package models

import (
	"bytes"
	"errors"
	"fmt"
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

// labelFormat is what is known of a list of labels by its format, for the error about
// a wrong number of labels. The zero value is that of a plain list.
type labelFormat struct {
	// from is the smallest class number in the list.
	from int
	// numbered is true if the list numbers its classes.
	numbered bool
}

// ParseLabels reads class names, UTF-8, in one of these formats:
//
//   - One a line; line i (from 0) names class i. A byte order mark, CRLF line ends,
//     spaces around a name and blank lines at the end are dropped; a blank line in
//     between is a class without a name, "".
//   - Lines with the number of the class: "12  some name", "12: some name" (Coral's,
//     https://github.com/google-coral/pycoral, pycoral/utils/dataset.py), "12. some
//     name", "12,some name", "12=some name", "[12] some name", "some name,12". Every
//     line must have a number, set off by a colon, comma, semicolon, equals sign,
//     tab, point, bracket or two spaces; or, where a space or hyphen follows the
//     number or a word comes before it ("class 12: some name"), the numbers must be
//     0 to n-1 or 1 to n in any order. Names such as "7 of hearts" stay whole.
//   - CSV with a header that names a column of names and, mostly, one of numbers.
//   - JSON: a list of names or of objects with names; an object from numbers to
//     names or from names to numbers; or one that has such under "labels",
//     "names", "classes", "categories", "id2label" or "label2id".
//   - pbtxt as of TensorFlow's object detection: item { id: 1 name: "..." }.
//
// A number is that of the class, which count from 0; classes that are left out have
// the name "". So a list that is numbered from 1 gives no class a wrong name: it has
// one class more than names, and CheckOutput rejects it.
//
// The error wraps edgelens.ErrModel: invalid UTF-8, control characters, no labels,
// a number given twice, numbers that may or may not be those of classes, a similar
// format that cannot be read, or more than 4 MiB, 100,000 labels or 1,000 bytes a
// label.
func ParseLabels(data []byte) ([]string, error) {
	names, _, err := parseLabels(data)
	if err != nil {
		return nil, fmt.Errorf("%w: read labels: %w", edgelens.ErrModel, err)
	}
	return names, nil
}

func parseLabels(data []byte) ([]string, labelFormat, error) {
	if len(data) > maxLabelsBytes {
		return nil, labelFormat{}, fmt.Errorf("the list of labels has more than %d bytes", maxLabelsBytes)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if n := bytes.Count(data, []byte("\n")); n > maxLabels {
		return nil, labelFormat{}, fmt.Errorf("the list of labels has %d lines; at most %d can be used", n, maxLabels)
	}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSuffix(line, "\r")
		switch {
		case !utf8.ValidString(line):
			return nil, labelFormat{}, fmt.Errorf("line %d of the labels is not valid UTF-8; save the file as UTF-8", i+1)
		case strings.ContainsFunc(line, isControl):
			return nil, labelFormat{}, fmt.Errorf("line %d of the labels has a control character; save the file as plain UTF-8 text", i+1)
		}
	}
	names, form, err := readLabels(strings.TrimSpace(string(data)), string(data))
	if err != nil {
		return nil, form, err
	}
	return names, form, checkNames(names)
}

// readLabels reads the text in the format that it has.
func readLabels(trimmed, text string) ([]string, labelFormat, error) {
	switch {
	case trimmed == "":
		return nil, labelFormat{}, errors.New("the list of labels is empty")
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
		return nil, labelFormat{}, fmt.Errorf("the list of labels has %d lines; at most %d can be used", len(lines), maxLabels)
	}
	list, err := numberedLabels(lines)
	switch {
	case err != nil:
		return nil, labelFormat{}, err
	case list != nil:
		return byNumber(list)
	}
	return lines, labelFormat{}, nil
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

// isControl is true for characters that could corrupt a terminal or a log line. A
// tab may separate a number from its name.
func isControl(r rune) bool { return r != '\t' && unicode.IsControl(r) }

// numberedName is a name with the number of its class.
type numberedName struct {
	number int
	name   string
}

// byNumber puts each name at its number. The error: a number is given twice, or is out
// of bounds.
func byNumber(list []numberedName) ([]string, labelFormat, error) {
	form := labelFormat{numbered: true, from: maxLabels}
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
