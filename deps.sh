#!/bin/sh
# Brings what Barepost stands on: Debian packages, and source packages unpacked
# under build/deps. Nothing is fetched that is already there; root is needed
# only while a package is missing.
#
#   deps.sh packages PACKAGE...   installs the packages that are missing
#   deps.sh source NAME FILE SUM  unpacks source package NAME under
#                                 build/deps/src/NAME, after its upstream
#                                 tarball FILE was found to have the SHA-256 SUM
#   deps.sh unpack NAME FOLDER    unpacks binary package NAME under FOLDER,
#                                 without installing or starting anything
#   deps.sh npm FOLDER TARGET     installs what FOLDER/package-lock.json pins
#                                 into TARGET; no script of a package is run
#
# The machine's own apt configuration is not touched: the source indices are
# kept under build/deps/apt, derived from the sources that the machine has.
set -eu
mkdir -p build/deps
deps=$(cd build/deps && pwd)
# One at a time: make may ask for several things at once, apt does not like it.
exec 9>"$deps/lock"
flock 9

die() { echo "deps: $*" >&2; exit 1; }

# Runs apt-get as root, by sudo where this is another user.
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"
	elif command -v sudo >/dev/null; then sudo "$@"
	else die "packages are missing and this is not root: run as root once: $*"
	fi
}

packages() {
	missing=
	for name in "$@"; do
		state=$(dpkg-query -W -f '${Status}' "$name" 2>/dev/null || true)
		[ "$state" = "install ok installed" ] || missing="$missing $name"
	done
	[ -n "$missing" ] || return 0
	echo "deps: installing$missing"
	export DEBIAN_FRONTEND=noninteractive
	as_root apt-get -q update >/dev/null
	# shellcheck disable=SC2086
	as_root apt-get -q -y --no-install-recommends install $missing
}

# The machine's package sources again, as source-package sources.
write_source_list() {
	mkdir -p "$deps/apt/lists/partial" "$deps/apt/cache/archives/partial" \
		"$deps/apt/parts"
	for file in /etc/apt/sources.list.d/*.sources; do
		[ -f "$file" ] || continue
		sed 's/^Types:.*/Types: deb-src/' "$file" \
			>"$deps/apt/parts/$(basename "$file")"
	done
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$file" ] || continue
		sed -n 's/^deb[[:space:]]/deb-src /p' "$file" \
			>"$deps/apt/parts/$(basename "$file" .list)-src.list"
	done
}

apt_private() {
	"$@" -q -o Dir::Etc::sourcelist=/dev/null \
		-o Dir::Etc::sourceparts="$deps/apt/parts" \
		-o Dir::State::lists="$deps/apt/lists" -o Dir::Cache="$deps/apt/cache" \
		-o APT::Sandbox::User="$(id -un)"
}

update_sources() {
	[ -f "$deps/apt/updated" ] && return 0
	write_source_list
	# shellcheck disable=SC2016
	apt_private sh -c 'exec apt-get "$@" update' apt >/dev/null ||
		die "the source package lists cannot be read: is there a network?"
	touch "$deps/apt/updated"
}

# Every version of a source package that the lists know, newest first.
versions_of() {
	# shellcheck disable=SC2016
	apt_private sh -c 'n=$0; exec apt-cache "$@" showsrc "$n"' "$1" 2>/dev/null |
		sed -n 's/^Version: //p' | sort -Vru
}

source_package() {
	name=$1 tarball=$2 sum=$3 target=$deps/src/$1
	[ -f "$target/.unpacked" ] && return 0
	update_sources
	echo "deps: source package $name"
	rm -rf "$deps/download/$name" "$target"
	mkdir -p "$deps/download/$name" "$deps/src"
	got=
	for version in $(versions_of "$name"); do
		# shellcheck disable=SC2016
		if (cd "$deps/download/$name" &&
			apt_private sh -c 'w=$0; exec apt-get "$@" source --download-only "$w"' \
				"$name=$version" >/dev/null 2>&1); then
			got=$version
			break
		fi
	done
	[ -n "$got" ] || die "no version of source package $name can be fetched"
	(cd "$deps/download/$name" && echo "$sum  $tarball" | sha256sum -c --quiet) ||
		die "$name $got: $tarball is not the tarball that is pinned in Makefile"
	dpkg-source --no-check -x "$deps/download/$name"/*.dsc "$target" >/dev/null
	touch "$target/.unpacked"
}

unpack_package() {
	name=$1 target=$2
	mkdir -p "$deps/download/$name"
	echo "deps: unpacking package $name"
	(cd "$deps/download/$name" && rm -f ./*.deb &&
		apt-get -q -o APT::Sandbox::User="$(id -un)" download "$name" >/dev/null) ||
		die "package $name cannot be fetched: run apt-get update once"
	dpkg-deb -x "$deps/download/$name"/*.deb "$target"
}

# Node and npm may have come otherwise than by Debian's packages.
npm_packages() {
	folder=$1 target=$2
	command -v node >/dev/null || packages nodejs
	command -v npm >/dev/null || packages npm
	echo "deps: npm packages of $folder"
	mkdir -p "$target"
	cp "$folder/package.json" "$folder/package-lock.json" "$target"
	(cd "$target" && npm ci --ignore-scripts --no-audit --no-fund \
		--loglevel=error >npm.log 2>&1) ||
		{ cat "$target/npm.log"; die "npm cannot install what $folder pins"; }
}

case ${1:-} in
npm) shift; npm_packages "$@" ;;
unpack) shift; unpack_package "$@" ;;
packages) shift; packages "$@" ;;
source) shift; source_package "$@" ;;
*) die "usage: deps.sh packages PACKAGE... | source NAME FILE SUM | unpack NAME FOLDER | npm FOLDER TARGET" ;;
esac
