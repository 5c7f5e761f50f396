package inference

import (
	"context"

	"edgelens"
	"edgelens/models"
)

// A Checker compares the kernels that are to run a model with reference kernels: a driver
// or a processor may make fast ones compute wrongly. inference/kernelcheck has one.
//
// Implementations are safe for concurrent use.
type Checker interface {
	// Start begins the check of one model that is being loaded.
	Start(model models.Model) Check
}

// A Check is that of one model. It is not safe for concurrent use.
type Check interface {
	// Compare returns what is known about the kernels that run pool, of a model that spec
	// describes, and runs it if nothing is. It returns soon after ctx ends.
	Compare(ctx context.Context, spec *models.Spec, pool *Pool) edgelens.KernelCheck
}
