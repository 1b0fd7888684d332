#!/bin/sh
# Builds the machine that Barepost is compared with: Debian 12 with Postfix,
# Dovecot and nginx, as the image of a USB stick (MBR, a FAT32 partition with syslinux and
# the kernel, an ext4 partition with everything else).
#
#   build.sh IMAGE LOG PACKAGE...
#
# Needs root (packages are installed in a changed root directory), and the
# packages named, which are installed on this computer where they are missing.
# Those of the peer come from the Debian archive that this computer's apt uses. What is set differently
# from Debian's defaults lies under guest/, each choice with its reason; all of
# them are to the peer's advantage or make the two columns comparable.
set -eu
image=$1 log=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
release=bookworm
packages=linux-image-amd64,systemd-sysv,udev,procps,iproute2,kmod
packages=$packages,initramfs-tools,postfix,dovecot-pop3d,nginx-light
boot_mib=64 size_mib=2048
users="inbox single $(seq -f fetch%.0f 20)"

die() { echo "peer: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "building the peer's machine needs root: its Debian" \
	"is installed in a root directory of its own. Run make bench-peer as root."

work=$(mktemp -d "$(dirname "$image")/peer.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM
root=$work/root

inside() {
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"
}

# The archive and its security updates, as this computer's apt knows them.
sources() {
	# shellcheck disable=SC2016
	apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' |
		grep -E " $release(-[a-z]+)? main\$" | sort -u
}

install_debian() {
	sources >"$work/sources.list"
	[ -s "$work/sources.list" ] ||
		die "apt on this computer knows no Debian $release: is this Debian 12," \
			"and has apt-get update been run?"
	# Before the packages come: what initramfs-tools and postfix ask for.
	mmdebstrap --variant=minbase --include="$packages" \
		--essential-hook="cp -r '$here/guest/etc/initramfs-tools' \"\$1/etc/\"" \
		--essential-hook="echo postfix postfix/main_mailer_type select \
			No configuration | chroot \"\$1\" debconf-set-selections" \
		"$release" "$root" "$work/sources.list" >>"$log" 2>&1 ||
		die "mmdebstrap failed: see $log"
	apt-get clean -o Dir="$root"
	rm -rf "$root"/var/lib/apt/lists/*
}

# Every user has the password "bench", hashed as Debian hashes by default.
make_users() {
	inside useradd -u 5000 -U -d /srv/mail -s /usr/sbin/nologin vmail
	hash=$(inside doveadm pw -s SHA512-CRYPT -p bench)
	for user in $users; do
		echo "$user:$hash" >>"$root/etc/dovecot/users"
		echo "$user@bench.example $user/" >>"$root/etc/postfix/mailboxes"
	done
	inside chown root:dovecot /etc/dovecot/users
	inside chmod 640 /etc/dovecot/users
	inside postmap hash:/etc/postfix/mailboxes
	inside newaliases
	mkdir -p "$root/srv/mail"
	# shellcheck disable=SC2086
	python3 "$here/maildrops.py" "$root/srv/mail" $users
	inside chown -R vmail:vmail /srv/mail
}

configure() {
	cp -r "$here/guest/." "$root/"
	make_users
	echo bench >"$root/etc/hostname"
	printf '%s\n' "127.0.0.1 localhost" "10.0.2.15 mail.bench.example bench" \
		"10.0.2.2 client.bench.example" >"$root/etc/hosts"
	: >"$root/etc/resolv.conf"
	echo "/dev/sda2 / ext4 errors=remount-ro 0 1" >"$root/etc/fstab"
	mkdir -p "$root/srv/web/assets"
	cp "$here/../../../firmware/web/assets/works.html" "$root/srv/web/assets/"
	inside systemctl -q enable bench-net bench-shell postfix dovecot
	inside systemctl -q disable nginx
	# Nothing that would start by the clock while figures are taken, no logins
	# at the screen, and no work that is only done at the first start after an
	# installation.
	inside systemctl -q mask apt-daily.timer apt-daily-upgrade.timer \
		e2scrub_all.timer e2scrub_reap.service fstrim.timer \
		dpkg-db-backup.timer systemd-tmpfiles-clean.timer \
		getty@tty1.service getty-static.service
	inside systemd-machine-id-setup >>"$log" 2>&1
	touch "$root/etc/.updated" "$root/var/.updated"
}

make_image() {
	part=$work/stick.img
	truncate -s "${size_mib}M" "$part"
	printf '%s\n' "label: dos" \
		"start=1MiB, size=${boot_mib}MiB, type=c, bootable" \
		"start=$((boot_mib + 1))MiB, type=83" |
		sfdisk -q --no-reread --no-tell-kernel "$part"
	mformat -i "$part@@1M" -F -c 1 -T $((boot_mib * 2048)) -h 255 -s 63 -H 2048 ::
	syslinux --install --offset 1048576 "$part"
	dd if=/usr/lib/syslinux/mbr/mbr.bin of="$part" bs=440 count=1 \
		conv=notrunc status=none
	mcopy -i "$part@@1M" "$here/syslinux.cfg" ::/syslinux.cfg
	mcopy -i "$part@@1M" "$root"/boot/vmlinuz-* ::/vmlinuz
	mcopy -i "$part@@1M" "$root"/boot/initrd.img-* ::/initrd.img
	mkfs.ext4 -q -L bench -d "$root" -E offset=$(((boot_mib + 1) << 20)) \
		"$part" $((size_mib - boot_mib - 1))M >>"$log" 2>&1 ||
		die "mkfs.ext4 failed: see $log"
	mv "$part" "$image"
}

./deps.sh packages "$@"
: >"$log"
echo "peer: installing Debian $release with Postfix and Dovecot (some minutes)"
install_debian
configure
echo "peer: making the stick"
make_image
