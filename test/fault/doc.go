// Package fault tests the queued path against failures from outside: it runs bin/edgelens as a child, kills it and its
// Redis, fills its disk, and checks the guarantees to clients. `make fault` runs all of it, `make fault-short` a small
// part of each test; docs/faults.md has the results.
package fault
