// Package examples tests the examples, each with the real service.
package examples
