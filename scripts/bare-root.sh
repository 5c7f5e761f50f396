# Makes file systems with a bare Debian 12, by debootstrap. Sourced after common.sh, not run.
# shellcheck shell=bash

suite=bookworm

# bare_root FOLDER ARCHITECTURE PACKAGES: the smallest variant with these packages
# (comma-separated), and this machine's ways to reach Debian's others. Takes root.
bare_root() {
	local mirror log_file=$1.log
	# shellcheck disable=SC2016 # apt expands it
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Codename: $suite" | sort -u | head -n 1)
	[ -n "$mirror" ] || die "this system has no source of Debian 12 ($suite) packages, which a bare system is made of." "Run 'apt-get update', or add one to /etc/apt/sources.list."
	log "making a bare Debian 12 for $2, by debootstrap"
	rm -rf "$1"
	debootstrap --arch="$2" --variant=minbase --include="$3" "$suite" "$1" "$mirror" >"$log_file" ||
		die "debootstrap failed: $(tail -n 2 "$log_file")" "Look into $log_file."
	as_this_machine "$1"
}

# as_this_machine FOLDER: gives a base the machine's Debian sources, apt's ways to
# reach them, and the certificates that this machine trusts besides Debian's.
as_this_machine() {
	# shellcheck disable=SC2016 # apt expands it
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' | sort -u >"$1/etc/apt/sources.list"
	apt-config dump Acquire >"$1/etc/apt/apt.conf.d/zz-this-machine"
	cp -L /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/" 2>/dev/null || return 0
	chroot "$1" update-ca-certificates >/dev/null 2>&1
}
