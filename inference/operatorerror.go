package inference

import (
	"fmt"
	"regexp"
)

// An OperatorError is a RuntimeError: the runtime lacks the version of an operator that
// the file uses. Another runtime may have it.
type OperatorError struct {
	// Operator is its name in the file, for example "CONV_2D".
	Operator, Version string
	// Runtime is the name and version of the runtime, for example "TensorFlow Lite 2.17.1".
	Runtime string
	Err     *RuntimeError
}

// missingOperator matches the message of TensorFlow Lite and of LiteRT about a missing
// operator.
var missingOperator = regexp.MustCompile(`Didn't find op for builtin opcode '(\w+)' version '(\d+)'`)

// MissingOperator returns the error that a message of a runtime, given by name and
// version, is about, with what helps besides another runtime; nil where the message is about
// something else.
func MissingOperator(message, runtime, remedy string) *OperatorError {
	m := missingOperator.FindStringSubmatch(message)
	if m == nil {
		return nil
	}
	e := &OperatorError{Operator: m[1], Version: m[2], Runtime: runtime, Err: &RuntimeError{Detail: message}}
	return e.WithRemedy(remedy)
}

// WithRemedy returns the error with another remedy.
func (e *OperatorError) WithRemedy(remedy string) *OperatorError {
	other := *e
	other.Err = &RuntimeError{
		Sentence: fmt.Sprintf("it needs version %s of the operator %s, which %s does not have: %s", e.Version, e.Operator, e.Runtime, remedy),
		Detail:   e.Err.Detail,
	}
	return &other
}

// Error returns the sentence.
func (e *OperatorError) Error() string { return e.Err.Error() }

// Unwrap returns the RuntimeError.
func (e *OperatorError) Unwrap() error { return e.Err }
