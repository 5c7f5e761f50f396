package models

import "edgelens"

// Listed is one model as the registry lists it.
type Listed struct {
	Model
	State   edgelens.ModelState
	Problem string
}
