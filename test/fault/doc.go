// Package fault breaks the queued path from outside: it runs bin/edgelens
// as a child, kills it and its Redis, fills its disk, and checks what a client
// was promised. `make fault` runs it all, `make fault-short` a small part of
// each; docs/faults.md says what came out.
package problem
