// Package testutil has what tests of several packages need: waiting for a condition, a readable log, a free address, the
// optional images and models. It imports nothing of the project, so that the tests of every package can use it;
// supervise/supervisetest starts real servers.
package testutil
