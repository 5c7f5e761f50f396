// Package groups is the list of the groups of ImageNet classes by which studies measure what is learned from few images: classes of
// one kind in WordNet, with a labeled image of each.
package groups

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strings"
)

//go:embed groups.tsv
var list string

// Image is a labeled image of a group.
type Image struct {
	// Kind is the name of the group, Synset its WordNet id, and File the name of the image.
	Kind, Synset, File string
}

// Images returns the images of all groups, those of a group together, sorted by kind.
func Images() ([]Image, error) {
	reader := csv.NewReader(strings.NewReader(list))
	reader.Comma = '\t'
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the list of groups: %w", err)
	}
	var all []Image
	for _, row := range rows[1:] {
		all = append(all, Image{row[0], row[1], row[2]})
	}
	return all, nil
}
