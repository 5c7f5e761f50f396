package app

import (
	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/learn/datasets"
)

// newDatasets returns the datasets of this node. The recognizer is this node's own, so that no image of an example leaves it.
func newDatasets(l *ledger.Ledger, local edgelens.Recognizer) *datasets.Service {
	return datasets.New(l.Examples, keptResults{l.Results, l.Images}, local)
}

// keptResults are the results of a ledger with their images.
type keptResults struct {
	*ledger.Results
	*ledger.Images
}
