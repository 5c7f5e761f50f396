// Package testutil has what tests of several packages need: waiting for a condition, a readable log, a free address, the
// optional images and models. It imports the standard library only, so that the tests of every package can use it;
// supervise/supervisetest starts real servers.
package testutil
