# apt-get with progress output and readable errors.
# Sourced after common.sh, not run.
# shellcheck shell=bash

# shellcheck disable=SC2154 # root is common.sh's
apt_log=$root/build/log/apt.log

# need_root COMMAND: exits with the command to run by hand if this user is not root
# and has no sudo. Prompts for the password if sudo requires one.
need_root() {
	[ "$(id -u)" != 0 ] || return 0
	local by_hand="As root, run: $1"
	local again="Then run the same command as before."
	command -v sudo >/dev/null || die "Debian packages are missing, and there is neither root nor sudo to install them." "$by_hand" "$again"
	sudo -n true 2>/dev/null && return 0
	[ -t 0 ] || die "Debian packages are missing, and there is no terminal for sudo to ask for a password on." "$by_hand" "$again"
	sudo -v || die "Debian packages are missing, and sudo did not let this user install them." "$by_hand" "$again"
}

# as_root COMMAND...: runs it directly as root, else by sudo.
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# apt_get ARGUMENT...: apt-get with its output in build/log/apt.log. Waits for
# another apt (a fresh Pi upgrades itself after its first boot).
apt_get() {
	local command=(env LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a)
	local name waited=0
	for name in http_proxy https_proxy no_proxy; do # sudo would drop them
		[ -z "${!name:-}" ] || command+=("$name=${!name}")
	done
	command+=(apt-get -o DPkg::Lock::Timeout=600 "$@")
	while ! as_root "${command[@]}" </dev/null 2>&1 | tee -a "$apt_log" | apt_progress; do
		# The lock on the package lists has no timeout of its own in apt.
		tail -n 3 "$apt_log" | grep -q 'Could not get lock\|Unable to lock' && [ "$waited" -lt 600 ] || return 1
		[ "$waited" != 0 ] || log "another apt is at work; waiting for it"
		sleep 5
		waited=$((waited + 5))
	done
}

# apt_progress: one line from apt-get's many; rewritten in place on a terminal.
apt_progress() {
	local line waiting='' total=0 got=0 unpacked=0 ready=0
	while IFS= read -r line; do
		case $line in
		'Waiting for cache lock'*)
			[ -n "$waiting" ] || log "another apt is at work; waiting for it"
			waiting=yes
			;;
		*' newly installed, '*)
			total=${line%% newly installed,*}
			total=${total##* }
			;;
		'Need to get '*) printf '    %s\n' "${line%.}" ;;
		Get:*) got=$((got + 1)) ;;
		'Unpacking '*) unpacked=$((unpacked + 1)) ;;
		'Setting up '*) ready=$((ready + 1)) ;;
		*) continue ;;
		esac
		if [ -t 1 ] && [ "$total" != 0 ]; then
			printf '\r    of %s packages: %s fetched, %s unpacked, %s ready ' "$total" "$got" "$unpacked" "$ready"
		fi
	done
	if [ -t 1 ] && [ "$total" != 0 ]; then printf '\n'; fi
}

# apt_update: fetches the package lists. Like apt, it tolerates a source that fails: it
# may not be needed.
apt_update() {
	mkdir -p "${apt_log%/*}"
	: >"$apt_log"
	log "fetching Debian's package lists"
	apt_get update || apt_failed "the package lists could not be fetched."
}

# apt_failed SENTENCE: exits with the cause from apt's log.
apt_failed() {
	local hint="Look into $apt_log."
	if grep -qE 'Temporary failure resolving|Could not (resolve|connect)|Connection (failed|refused|timed out)|Network is unreachable' "$apt_log"; then
		hint="The network or Debian's mirror cannot be reached. Check the connection (and http_proxy, where there is one), then run the same command again."
	elif grep -qE 'No space left|enough free space' "$apt_log"; then
		hint="The disk is full. Free some space and run the same command again."
	elif grep -q 'dpkg was interrupted' "$apt_log"; then
		hint="An earlier installation was cut off. Run 'sudo dpkg --configure -a', then the same command again."
	elif grep -qE 'Unable to (locate|fetch)|no installation candidate' "$apt_log"; then
		hint="This system's package sources do not have it; Debian 12 and Raspberry Pi OS 12 do. See the lines above."
	elif grep -qE 'Could not get lock|Unable to acquire' "$apt_log"; then
		hint="Another program holds apt's lock. Wait for it to end, then run the same command again."
	elif grep -qE 'unmet dependencies|held broken packages' "$apt_log"; then
		hint="This system's packages are in a mixed state. 'sudo apt-get -f install' may repair it."
	fi
	grep -E '^(E:|dpkg: error)' "$apt_log" | tail -n 3 | sed 's/^/    /' >&2
	die "$1" "$hint"
}
