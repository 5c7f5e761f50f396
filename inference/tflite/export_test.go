//go:build cgo

package tflite

import "edgelens/inference"

// Unshare makes the interpreters of a model pack weights each of their own.
func Unshare(m inference.Model) { m.(*model).unshared = "a test wants it" }

// FailSharing makes the next interpreter of a model find too little memory for its weights.
func FailSharing(m inference.Model) error {
	var err error
	if m.(*model).weights, err = newWeights(); err == nil {
		m.(*model).weights.c.failed = 1
	}
	return err
}

// SpoilSharing makes the next interpreter of a model find none of the weights that the
// others share.
func SpoilSharing(m inference.Model) {
	for p := m.(*model).weights.c.packed; p != nil; p = p.next {
		p.size++ // of no packed weights
	}
}
