// Package arm64 compares the cross-built program with the native one from
// outside: both are asked about the same images, and must see the same in
// each. `make check-arm64` runs it, the cross-built program under qemu;
// docs/raspberry-pi.md says what came out.
package arm64
