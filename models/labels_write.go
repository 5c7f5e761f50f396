package models

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"edgelens"
)

// FormatLabels returns a list of labels that ParseLabels reads as they are: one a line, as all programs do. Where that would be read
// otherwise, such as "1 bin" and "2 bins", whose numbers would be those of classes, each line has the number of its class, or the
// list is JSON. The error wraps edgelens.ErrModel for labels that no list can have.
func FormatLabels(labels []string) ([]byte, error) {
	var numbered bytes.Buffer
	for i, label := range labels {
		fmt.Fprintf(&numbered, "%d  %s\n", i, label)
	}
	list, err := json.Marshal(labels)
	if err != nil {
		return nil, err
	}
	for _, form := range [][]byte{[]byte(strings.Join(labels, "\n") + "\n"), numbered.Bytes()} {
		if read, err := ParseLabels(form); err == nil && slices.Equal(read, labels) {
			return form, nil
		}
	}
	read, err := ParseLabels(list)
	if err == nil && !slices.Equal(read, labels) {
		err = fmt.Errorf("%w: write labels: they are not valid UTF-8", edgelens.ErrModel)
	}
	return append(list, '\n'), err
}
