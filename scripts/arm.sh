# The two kinds of processors that are cross-built for. Sourced after common.sh, not run.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # for the scripts that source this; root is common.sh's

# arm_target arm64|armv7: sets target, its names for Debian (debian), Go (goarch), the
# compilers (triplet) and qemu (qemu), and the folder with its libraries (sysroot).
arm_target() {
	target=$1
	case $target in
	arm64) debian=arm64 goarch=arm64 triplet=aarch64-linux-gnu qemu=qemu-aarch64-static ;;
	armv7) debian=armhf goarch=arm triplet=arm-linux-gnueabihf qemu=qemu-arm-static ;;
	*) die "there is no '$target' to build for; there are arm64 and armv7." ;;
	esac
	sysroot=$root/build/sysroot-$target
}
