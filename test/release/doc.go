// Package release tests the scripts that make releases; scripts/deb-check tests what they make.
package release
