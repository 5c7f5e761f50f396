// Package cross compares a cross-built program with the native one from outside: both get the same images, and must
// return the same results. `make check-arm64` and `make check-armv7` run it, the cross-built program under qemu;
// docs/raspberry-pi.md has the results.
package cross
