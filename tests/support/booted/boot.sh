#!/bin/bash
# A machine for tests: systemd and journald on this host's own files, with nothing of what it writes kept on the host.
#
#   boot.sh DIRECTORY CGROUP
#
# DIRECTORY/disk is a file system that takes all writes, and so is the machine's disk over several boots;
# DIRECTORY/shown lists what else is visible inside, a line HOST-PATH INSIDE-PATH each. Runs as the first process of new
# namespaces (mounts, processes, host name, IPC; the network is the caller's) and becomes systemd.
set -eu
directory=$1
if [ "${3:-}" != inside ]; then
    # First into the group, then into a namespace of which it is the root.
    echo 0 >"$2/cgroup.procs"
    exec unshare --cgroup -- bash "$0" "$1" "$2" inside
fi

mount --make-rprivate /
disk=$directory/disk
mkdir -p "$disk/written" "$disk/work" "$directory/root"
mount -t overlay -o "lowerdir=/,upperdir=$disk/written,workdir=$disk/work" machine "$directory/root"
cd "$directory/root"

mount -t proc -o nosuid,nodev,noexec proc proc
# Whatever belongs to the whole host can be read at most.
for path in proc/sys proc/sysrq-trigger; do
    [ -e "$path" ] || continue
    mount --bind "$path" "$path"
    mount -o remount,bind,ro "$path"
done
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid,size=1m dev dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=755,nosuid,nodev run run
mount -t tmpfs -o mode=1777,nosuid,nodev tmp tmp

# None of the host's own services: only what systemd itself needs, and what a test installs.
if [ ! -e "$disk/made" ]; then
    rm -rf etc/systemd/system
    mkdir -p etc/systemd/system etc/systemd/system-generators etc/systemd/journald.conf.d etc/systemd/system.conf.d
    for generator in lib/systemd/system-generators/*; do
        ln -sfn /dev/null "etc/systemd/system-generators/${generator##*/}"
    done
    for unit in dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount \
        sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount kmod-static-nodes.service \
        systemd-binfmt.service systemd-firstboot.service systemd-hwdb-update.service systemd-initctl.socket \
        systemd-journald-audit.socket systemd-machine-id-commit.service systemd-modules-load.service \
        systemd-pstore.service systemd-random-seed.service systemd-remount-fs.service systemd-repart.service \
        systemd-sysctl.service systemd-sysusers.service systemd-tmpfiles-setup-dev.service systemd-udevd.service \
        systemd-update-done.service systemd-update-utmp-runlevel.service systemd-update-utmp.service \
        systemd-ask-password-console.path systemd-ask-password-wall.path dbus.socket dbus.service systemd-logind.service \
        systemd-user-sessions.service getty.target systemd-tmpfiles-clean.timer; do
        ln -s /dev/null "etc/systemd/system/$unit"
    done
    cat >etc/systemd/system/machine.target <<'UNIT'
[Unit]
Description=What a test needs of a machine
Requires=sysinit.target sockets.target
Wants=multi-user.target
After=sysinit.target sockets.target
AllowIsolate=yes
UNIT
    cat >etc/systemd/system/multi-user.target <<'UNIT'
[Unit]
Description=What was enabled by a test
AllowIsolate=yes
UNIT
    # On the disk: what was told before a power cut can be read after it.
    mkdir -p var/log/journal
    rm -rf var/log/journal/*
    printf '[Journal]\nStorage=persistent\nAudit=no\nReadKMsg=no\nForwardToSyslog=no\nForwardToWall=no\nSyncIntervalSec=1s\n' \
        >etc/systemd/journald.conf.d/machine.conf
    printf '[Manager]\nDefaultTimeoutStopSec=10s\n' >etc/systemd/system.conf.d/machine.conf
    : >etc/fstab
    : >etc/resolv.conf
    echo machine >etc/hostname
    : >"$disk/made"
fi
hostname machine

while read -r source inside; do
    mkdir -p "./${inside%/*}"
    if [ -d "$source" ]; then mkdir -p "./$inside"; else [ -e "./$inside" ] || : >"./$inside"; fi
    mount --rbind "$source" "./$inside"
done <"$directory/shown"

mkdir -p mnt/before
pivot_root . mnt/before
cd /
umount -l /mnt/before
# Mounts that systemd's helpers make in namespaces of their own (those of credentials) are to arrive in this one.
mount --make-rshared /
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb \
    container=unshare /lib/systemd/systemd --system --unit=machine.target --show-status=no \
    --log-target=journal-or-kmsg
