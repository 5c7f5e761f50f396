package models

import (
	"bytes"
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

// ParseLabels reads class names, one a line, UTF-8; line i (from 0) names
// class i. A byte order mark, CRLF line ends, spaces around a name and blank
// lines at the end are dropped; a blank line in between is a class without a
// name, "".
//
// Coral's numbered form, "12  some name" or "12: some name", is read too
// (https://github.com/google-coral/pycoral, pycoral/utils/dataset.py): the
// number is the class, and classes that are left out have the name "". A file
// is taken as numbered only if every line has a number, the numbers rise, and
// they are set off by a colon, a tab or two spaces, or count 0, 1, 2 and so
// on; names such as "7 of hearts" stay whole.
//
// The error wraps edgelens.ErrModel: invalid UTF-8, control characters, no
// label at all, or more than 4 MiB, 100,000 labels or 1,000 bytes a label.
func ParseLabels(data []byte) ([]string, error) {
	names, err := parseLabels(data)
	if err != nil {
		return nil, fmt.Errorf("%w: read labels: %w", edgelens.ErrModel, err)
	}
	return names, nil
}

func parseLabels(data []byte) ([]string, error) {
	if len(data) > maxLabelsBytes {
		return nil, fmt.Errorf("the list of labels has more than %d bytes", maxLabelsBytes)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if n := bytes.Count(data, []byte("\n")); n > maxLabels {
		return nil, fmt.Errorf("the list of labels has %d lines; at most %d can be used", n, maxLabels)
	}
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		switch {
		case !utf8.ValidString(line):
			return nil, fmt.Errorf("line %d of the labels is not valid UTF-8; save the file as UTF-8", i+1)
		case strings.ContainsFunc(line, isControl):
			return nil, fmt.Errorf("line %d of the labels has a control character; save the file as plain UTF-8 text", i+1)
		case len(line) > maxLabelBytes:
			return nil, fmt.Errorf("line %d of the labels has %d bytes; at most %d can be used", i+1, len(line), maxLabelBytes)
		}
		lines[i] = strings.TrimSpace(line)
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	switch {
	case len(lines) == 0:
		return nil, fmt.Errorf("the list of labels is empty")
	case len(lines) > maxLabels:
		return nil, fmt.Errorf("the list of labels has %d lines; at most %d can be used", len(lines), maxLabels)
	}
	if numbered, ok := numberedLabels(lines); ok {
		return numbered, nil
	}
	return lines, nil
}

// isControl is true for what could upset a terminal or a log line. A tab may
// stand between a number and its name.
func isControl(r rune) bool { return r != '\t' && unicode.IsControl(r) }

var numberedLine = regexp.MustCompile(`^(\d{1,6})(\s*:\s*|\s+)(\S.*)$`)

func numberedLabels(lines []string) ([]string, bool) {
	var names []string
	counts, setOff := true, true // 0, 1, 2, ...; a colon, a tab or two spaces
	for _, line := range lines {
		if line == "" {
			continue
		}
		m := numberedLine.FindStringSubmatch(line)
		if m == nil {
			return nil, false
		}
		class, err := strconv.Atoi(m[1])
		if err != nil || class < len(names) || class >= maxLabels {
			return nil, false
		}
		counts = counts && class == len(names)
		setOff = setOff && m[2] != " "
		if !counts && !setOff {
			return nil, false
		}
		for len(names) < class {
			names = append(names, "")
		}
		// The expression knows ASCII's spaces only; a name may begin with another.
		names = append(names, strings.TrimSpace(m[3]))
	}
	return names, true
}
