// Package boxes measures what nodes cost that share a Redis Cluster and a broker (docs/adr/0048-many-boxes.md).
// `make bench-boxes` runs it: some nodes as processes on one machine, idle, at a steady load and at the most that they do.
package boxes
