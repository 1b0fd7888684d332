#!/bin/sh
# A host of lan.py, begun inside namespaces of its own as their first process:
# makes its root, says "ready", waits for its network card and runs the command.
#
#   lan_host.sh FOLDER NAME NUMBER TREE COMMAND
set -e
folder=$1 name=$2 number=$3 tree=$4 command=$5
root=$folder/disk/root

hostname "$name"
mkdir "$folder/disk"
mount -t tmpfs -o mode=755 disk "$folder/disk"
mkdir "$folder/disk/upper" "$folder/disk/work" "$root"
chmod 755 "$folder/disk/upper"
mount -t overlay -o "lowerdir=/,upperdir=$folder/disk/upper,workdir=$folder/disk/work" \
	root "$root"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"

# A package's /lib goes to where that link points.
if [ -n "$tree" ]; then
	tar -C "$tree" --owner=0 --group=0 -c . |
		tar -C "$root" --keep-directory-symlink -x
fi
tar -C "$folder/files" --owner=0 --group=0 -c . |
	tar -C "$root" --keep-directory-symlink --no-overwrite-dir -x

echo ready
read -r _
ip link set lo up
ip addr add "10.0.2.$number/24" dev eth0
ip -6 addr add "fd00:2::$number/64" dev eth0 nodad
ip link set eth0 up
ip route add default via 10.0.2.2
# The shell stays the first process, as root: what ends with it ends surely.
exec chroot "$root" /bin/sh -c "$command" 1>&2
