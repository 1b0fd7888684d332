# What Barepost stands on. `make deps` brings it, every other target depends on
# it, and it does nothing when it is already done.

DEPS := build/deps

# Building the AO and mkusb.
PACKAGES := gcc binutils nasm make pkg-config libusb-1.0-0-dev \
	dpkg-dev tcl8.6 libc6-dev
# OVMF: UEFI for QEMU.
PACKAGES += ovmf
# Writing sticks (mkusb calls these).
PACKAGES += mtools syslinux syslinux-common
# Running, testing, checking.
PACKAGES += qemu-system-x86 python3 python3-pytest swaks sqlite3 dosfstools \
	fdisk curl iproute2 tcpdump clang-14 clang-tidy-14 clang-format-14 \
	cppcheck libclang-rt-14-dev python3-pytest-xdist

# Mail clients for the system tests, and what the unpacked mail servers and the
# name server below need of libraries.
PACKAGES += msmtp s-nail mutt alpine fetchmail getmail6 mpop netbase libdb5.3 \
	libevent-2.1-7 libgnutls-dane0 libicu72 libidn12 libnghttp2-14 libnsl2 \
	libpcre2-8-0 libprotobuf-c1 libpython3.11 libsasl2-2

# A client of multicast DNS, and the libraries of a daemon.
PACKAGES += python3-zeroconf libavahi-core7 libdaemon0 libwrap0

# A load generator for the web server.
PACKAGES += wrk

# A browser for the tests of the web pages, with a font that screenshots show.
PACKAGES += chromium-headless-shell fonts-liberation

# Upstream tarballs are pinned, the Debian revision may move.
SQLITE_TARBALL := sqlite3_3.40.1.orig.tar.xz
SQLITE_SHA256 := aaa776260ab4dc976db34aa7891819484c8676b5b2783123ebc6301e2ca5d655
MUSL_TARBALL := musl_1.2.3.orig.tar.gz
MUSL_SHA256 := 7d5b0b6062521e4627e099e4c9dc8248d32a30285e959b7eecaa780cf8cfd4a4
CRYPTSETUP_TARBALL := cryptsetup_2.6.1.orig.tar.gz
CRYPTSETUP_SHA256 := b8adeb071bb396a1a8515f1d54b4cc8901a536d0da3f5970971beb2ec8427c17

SQLITE := $(DEPS)/sqlite
MUSL := $(DEPS)/src/musl
MUSL_SYSCALL_H := $(MUSL)/obj/include/bits/syscall.h
ARGON2 := $(DEPS)/src/cryptsetup/lib/crypto_backend/argon2
# What every target needs.
ALL_DEPS := $(DEPS)/packages.done $(SQLITE)/sqlite3.c $(MUSL_SYSCALL_H) \
	$(ARGON2)/argon2.c

.PHONY: deps
deps: $(ALL_DEPS) $(DEPS)/postfix.done $(DEPS)/peers.done $(DEPS)/net_peers.done \
	$(DEPS)/guest-kernel.done $(DEPS)/browser.done

$(DEPS)/packages.done: deps.mk
	@./deps.sh packages $(PACKAGES)
	@mkdir -p $(@D) && touch $@

$(SQLITE)/sqlite3.c: | $(DEPS)/packages.done
	@./deps.sh source sqlite3 $(SQLITE_TARBALL) $(SQLITE_SHA256)
	@echo "deps: making the SQLite amalgamation"
	@mkdir -p $(SQLITE)
	@cd $(SQLITE) && ../src/sqlite3/configure >configure.log 2>&1 && \
		$(MAKE) -s -j1 sqlite3.c >make.log 2>&1

$(SQLITE)/sqlite3.h: $(SQLITE)/sqlite3.c ;

# musl's generated headers, as its own Makefile makes them.
$(DEPS)/musl.done: | $(DEPS)/packages.done
	@./deps.sh source musl $(MUSL_TARBALL) $(MUSL_SHA256)
	@mkdir -p $(MUSL)/obj/include/bits
	@sed -f $(MUSL)/tools/mkalltypes.sed $(MUSL)/arch/x86_64/bits/alltypes.h.in \
		$(MUSL)/include/alltypes.h.in >$(MUSL)/obj/include/bits/alltypes.h
	@touch $@

$(MUSL_SYSCALL_H): $(DEPS)/musl.done
	@cp $(MUSL)/arch/x86_64/bits/syscall.h.in $@
	@sed -n -e s/__NR_/SYS_/p $(MUSL)/arch/x86_64/bits/syscall.h.in >>$@

$(ARGON2)/argon2.c: | $(DEPS)/packages.done
	@./deps.sh source cryptsetup $(CRYPTSETUP_TARBALL) $(CRYPTSETUP_SHA256)

# The fonts of the framebuffer.
FONTS := $(DEPS)/console-setup/usr/share/consolefonts
$(DEPS)/console-setup.done: | $(DEPS)/packages.done
	@./deps.sh unpack console-setup-linux $(DEPS)/console-setup
	@touch $@

# smtp-source, the load generator, without installing a mail server.
POSTFIX := $(DEPS)/postfix
$(DEPS)/postfix.done: | $(DEPS)/packages.done
	@./deps.sh unpack postfix $(POSTFIX)
	@touch $@

# The other mail servers and a name server, which the system tests run in roots
# of their own. As packages they conflict, and they would serve this computer.
PEERS := exim4-daemon-light opensmtpd unbound
$(DEPS)/peers.done: | $(DEPS)/packages.done
	@for name in $(PEERS); do \
		./deps.sh unpack $$name $(DEPS)/$$name || exit 1; done
	@touch $@

# Servers of time, of DHCP, of multicast DNS and of TFTP, likewise.
NET_PEERS := chrony busybox-static avahi-daemon atftpd
$(DEPS)/net_peers.done: deps.mk | $(DEPS)/packages.done
	@for name in $(NET_PEERS); do \
		./deps.sh unpack $$name $(DEPS)/$$name || exit 1; done
	@touch $@

# What drives the browser, and examines pages for accessibility: from npm, by the
# sums in package-lock.json.
$(DEPS)/browser.done: tests/browser/package.json tests/browser/package-lock.json \
		| $(DEPS)/packages.done
	@./deps.sh npm tests/browser $(DEPS)/browser
	@touch $@

# What looks for holes in web servers, for `make scan` alone.
SCAN_PACKAGES := sqlmap wapiti
$(DEPS)/scan.done: deps.mk | $(DEPS)/packages.done
	@./deps.sh packages $(SCAN_PACKAGES)
	@touch $@

# The kernel of a Linux guest, with its drivers of USB sticks.
GUEST_DRIVERS := usb-storage xhci-hcd xhci-pci usbcore usb-common sd_mod \
	scsi_mod scsi_common t10-pi crc-t10dif crct10dif_common crct10dif_generic \
	crc64 crc64-rocksoft crc64_rocksoft_generic
$(DEPS)/guest-kernel.done: | $(DEPS)/packages.done
	@rm -rf $(DEPS)/guest-kernel
	@./deps.sh unpack $$(apt-cache depends linux-image-amd64 | \
		sed -n 's/.*Depends: //p' | head -n 1) $(DEPS)/guest-kernel
	@find $(DEPS)/guest-kernel -type f ! -name 'vmlinuz-*' \
		$(GUEST_DRIVERS:%=! -name %.ko) -delete
	@rm -rf $(DEPS)/download/linux-image-*
	@touch $@

# The machine that `make bench-peer` compares with: Debian's packages in an image
# of a stick. Made as root, from the archive that this computer's apt uses.
PEER_PACKAGES := mmdebstrap e2fsprogs
PEER_IMAGE := $(DEPS)/peer.img
$(PEER_IMAGE): $(shell find tests/bench/peer -type f ! -name '*.pyc') \
		| $(DEPS)/packages.done
	@tests/bench/peer/build.sh $@ $(DEPS)/peer.log $(PEER_PACKAGES)
