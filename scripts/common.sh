# What the set-up scripts share. Sourced, not run.
# shellcheck shell=bash

# The root of the repository.
# shellcheck disable=SC2034 # for the scripts that source this
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# log SENTENCE: prints a progress message.
log() { printf '==> %s\n' "$*"; }

# die SENTENCE [HINT...]: prints the error and what to do, and exits.
die() {
	printf '\nset-up stopped: %s\n' "$1" >&2
	shift
	[ $# = 0 ] || printf '    %s\n' "$@" >&2
	exit 1
}

# need_space DIR MEGABYTES: exits if the disk is too full.
need_space() {
	local free
	free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$2" ] || die "the disk that holds $1 has $free MB free, and $2 MB are needed." \
		"Free some space and run the same command again."
}

# architecture: amd64, arm64, ... as Debian names it.
architecture() {
	if command -v dpkg >/dev/null; then
		dpkg --print-architecture
	else
		uname -m | sed -e 's/^x86_64$/amd64/' -e 's/^aarch64$/arm64/'
	fi
}

# has_sha256 FILE SUM: whether the file is there and has that sum.
has_sha256() { [ -f "$1" ] && [ "$(sha256sum <"$1")" = "$2  -" ]; }
