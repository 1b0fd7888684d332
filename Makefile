# Barepost: see README.md. The targets a user needs:
#   make         builds build/ao and build/mkusb
#   make run     a demo stick, booted in QEMU, mail ports forwarded
#   make test    every test          make check   the quick static part
#   make bench   the figures         make fuzz    the parsers, by libFuzzer
#   make scan    sqlmap and wapiti against the web server
#   make bench-peer   the figures next to those of Postfix + Dovecot (as root)
#   make deps    what all of it stands on

MAKEFLAGS += --no-builtin-rules --jobs=$(shell nproc)
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
# make V=1 shows the commands.
ifndef V
.SILENT:
endif

include deps.mk

B := build

# ---- Sources: every file of a room belongs to it -----------------------------

# Tables made from what Python knows are sources like the others.
MADE_SRC := $B/charset_tables.c $B/html_names.c
SHARED_SRC := $(wildcard mailstore/*.c mailstore/mime/*.c userdb/*.c) $(MADE_SRC)
FIRMWARE_SRC := $(wildcard firmware/*.c firmware/*/*.c)
DRIVER_SRC := $(wildcard drivers/*.c drivers/*/*.c)
BOOT_SRC := $(wildcard boot/*.c)
AO_ASM := $(wildcard boot/*.asm) firmware/core/coroutine_switch.asm
MKUSB_SRC := $(wildcard mkusb/*.c)
# What unit tests take of it; the rest calls other programs or is main().
MKUSB_TESTED_SRC := $(addprefix mkusb/,layout.c media_file.c say.c settings.c \
	sysfs.c target.c)
# The part of core that workstation tools use as well.
TOOL_CORE_SRC := firmware/core/err.c firmware/core/random.c firmware/core/date.c \
	firmware/core/zone.c firmware/core/version.c firmware/core/sha256.c \
	firmware/core/program.c
SIM_SRC := $(wildcard tests/sim/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_HELP_SRC := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c))

# ---- Flags -----------------------------------------------------------------

CC := gcc
PYTHON := /usr/bin/python3
INCLUDES := -I. -Ifirmware -isystem $(SQLITE) -isystem $(ARGON2) \
	-D_POSIX_C_SOURCE=200809L
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wconversion -Wvla -Walloca -Wundef \
	-Wcast-qual -Wimplicit-fallthrough -Wswitch-enum -Wmissing-prototypes \
	-Wstrict-prototypes -Wformat=2
COMMON := -std=c17 -g -fno-strict-aliasing -fwrapv -fno-common \
	-fno-delete-null-pointer-checks $(INCLUDES) -MMD -MP

# The AO: freestanding, higher half, hardened. Expanded late: on a fresh machine
# the compiler that is asked for its headers is not there yet when this is read.
FREESTANDING = -std=c17 -g -O2 -ffreestanding -nostdinc \
	-isystem $(shell $(CC) -print-file-name=include) \
	-isystem $(MUSL)/include -isystem $(MUSL)/obj/include \
	-isystem $(MUSL)/arch/x86_64 -isystem $(MUSL)/arch/generic \
	-fno-pic -fno-pie -mcmodel=kernel -mno-red-zone \
	-fno-strict-aliasing -fwrapv -fno-common -fno-delete-null-pointer-checks \
	-ffunction-sections -fdata-sections -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables -fvisibility=hidden
# There is no system, but memcpy() and its kin are those of C: the compiler may
# do a few bytes itself instead of calling (-ffreestanding alone forbids that).
BUILTINS := -fbuiltin
HARDENING := -fstack-protector-strong -mstack-protector-guard=global \
	-fcf-protection=none -fzero-call-used-regs=used-gpr \
	-ftrivial-auto-var-init=zero -fstack-clash-protection
UB_TRAPS := -fsanitize=undefined -fno-sanitize=object-size \
	-fsanitize-undefined-trap-on-error
AO_CFLAGS = $(FREESTANDING) $(BUILTINS) $(HARDENING) $(UB_TRAPS) -mgeneral-regs-only \
	$(WARNINGS) -Wframe-larger-than=1024 -Wlogical-op -Wduplicated-cond \
	$(INCLUDES) -MMD -MP
# Libraries of others: their warnings are theirs; SSE2 is allowed.
AO_LIB_CFLAGS = $(FREESTANDING) $(BUILTINS) $(HARDENING) -w

# Host code with sanitizers (unit tests, simulated PC), and without (mkusb).
HOST_CFLAGS := $(COMMON) -D_GNU_SOURCE -O1 -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all $(WARNINGS)
TOOL_CFLAGS := $(COMMON) -D_GNU_SOURCE -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
	-fPIE $(WARNINGS)

SQLITE_OPTIONS := -DSQLITE_OS_OTHER=1 -DSQLITE_THREADSAFE=0 \
	-DSQLITE_ENABLE_MEMSYS5 -DSQLITE_ZERO_MALLOC -DSQLITE_DEFAULT_MEMSTATUS=1 \
	-DSQLITE_TEMP_STORE=3 -DSQLITE_MAX_MMAP_SIZE=0 \
	-DSQLITE_DEFAULT_SYNCHRONOUS=2 -DSQLITE_DEFAULT_WAL_SYNCHRONOUS=2 \
	-DSQLITE_DEFAULT_FOREIGN_KEYS=1 -DSQLITE_DQS=0 \
	-DSQLITE_LIKE_DOESNT_MATCH_BLOBS -DSQLITE_MAX_WORKER_THREADS=0 \
	-DSQLITE_UNTESTABLE -DSQLITE_DEFAULT_PAGE_SIZE=4096 \
	-DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_DEPRECATED \
	-DSQLITE_OMIT_SHARED_CACHE -DSQLITE_OMIT_DECLTYPE \
	-DSQLITE_OMIT_TRACE -DSQLITE_OMIT_COMPLETE -DSQLITE_OMIT_GET_TABLE \
	-DSQLITE_OMIT_TCL_VARIABLE -DSQLITE_OMIT_DESERIALIZE \
	-DSQLITE_OMIT_UTF16 -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_MATH_FUNCTIONS \
	-DHAVE_LOCALTIME_R=1 -Dlocaltime_r=sql_localtime_r -DNDEBUG
# userdb/password.c stands between argon2's core and its inner loop (fill.o),
# and gives it memory.
ARGON2_OPTIONS := -DARGON2_NO_THREADS -Dmalloc=argon2_malloc -Dfree=argon2_free \
	-I$(ARGON2)
ARGON2_FILL_OPTIONS := $(ARGON2_OPTIONS) -Dfill_segment=argon2_fill_segment
ARGON2_SRC := argon2.c core.c encoding.c blake2/blake2b.c

# musl's members that SQLite, argon2 and our own code need; boot/string.asm has
# those that all bytes of mail pass through.
MUSL_SRC := $(addprefix string/,memrchr.c strchr.c strchrnul.c \
	strcmp.c strcspn.c strlen.c strncat.c strncmp.c strncpy.c stpncpy.c strnlen.c \
	strrchr.c strstr.c strcasecmp.c strncasecmp.c strspn.c strcpy.c stpcpy.c) \
	$(addprefix stdlib/,atoi.c strtol.c) \
	$(addprefix internal/,intscan.c shgetc.c) \
	$(addprefix ctype/,tolower.c isupper.c toupper.c islower.c isdigit.c isalpha.c \
	isalnum.c isspace.c isprint.c) \
	$(addprefix math/,frexpl.c __fpclassifyl.c __signbitl.c log.c log_data.c \
	__math_divzero.c __math_invalid.c __math_oflow.c __math_uflow.c \
	__math_xflow.c acos.c acosh.c asin.c asinh.c atan.c atan2.c atanh.c ceil.c \
	cos.c __cos.c cosh.c __expo2.c exp.c exp_data.c expm1.c floor.c fmod.c \
	log10.c log1p.c log2.c log2_data.c pow.c pow_data.c __rem_pio2.c \
	__rem_pio2_large.c scalbn.c sin.c __sin.c sinh.c tan.c __tan.c tanh.c \
	trunc.c x86_64/fabs.c x86_64/sqrt.c) \
	$(addprefix stdio/,snprintf.c vsnprintf.c sprintf.c vsprintf.c vfprintf.c __toread.c __uflow.c \
	__towrite.c fwrite.c) \
	$(addprefix time/,gmtime_r.c __secs_to_tm.c)
MUSL_ASM := $(addprefix string/x86_64/,memmove.s memset.s)
MUSL_CFLAGS = $(FREESTANDING) -w -D_XOPEN_SOURCE=700 -I$(MUSL)/arch/x86_64 \
	-I$(MUSL)/arch/generic -I$(MUSL)/src/include -I$(MUSL)/src/internal \
	-I$(MUSL)/obj/include -I$(MUSL)/include

# Which build this is: written anew only when it has changed.
BUILD_ID := $(shell git log -1 --format='%h of %cs' 2>/dev/null || echo unknown)$(shell \
	git diff --quiet HEAD 2>/dev/null || echo -dirty)
$(shell mkdir -p $B && echo '#define BUILD_ID "$(BUILD_ID)"' >$B/version.h.new && \
	{ cmp -s $B/version.h.new $B/version.h || cp $B/version.h.new $B/version.h; })

# ---- The AO ----------------------------------------------------------------

AO_C := $(BOOT_SRC) $(DRIVER_SRC) $(FIRMWARE_SRC) $(SHARED_SRC)
AO_OBJ := $(AO_C:%.c=$B/ao-obj/%.o) $(AO_ASM:%.asm=$B/ao-obj/%.asm.o) \
	$B/ao-obj/font.o $B/ao-obj/assets.o
AO_LIB_OBJ := $(DEPS)/ao/sqlite3.o \
	$(ARGON2_SRC:%.c=$(DEPS)/ao/argon2id/%.o) $(DEPS)/ao/argon2id/fill.o \
	$(MUSL_SRC:%.c=$(DEPS)/ao/musl/%.o) $(MUSL_ASM:%.s=$(DEPS)/ao/musl/%.s.o)

.PHONY: all
all: $B/ao $B/barepost.update $B/BOOTX64.EFI $B/mkusb

AO_LINK := ld -nostdlib -static -z max-page-size=4096 -z noexecstack \
	--gc-sections -T boot/ao.ld
AO_LINK_LIBS := $(AO_LIB_OBJ) $(shell $(CC) -print-libgcc-file-name)

# Linked twice: the first link tells the names of the functions, which the
# second takes in behind all code, so that it moves none of them. What a
# debugger reads stays in ao.debug: a BIOS loads the AO packet by packet, and
# needs a minute for it where the stick hangs on USB 1.
$B/ao.unnamed: $(AO_OBJ) $(AO_LIB_OBJ) boot/ao.ld boot/symbols.awk
	@awk -f boot/symbols.awk </dev/null >$B/symbols-none.asm
	@nasm -f elf64 -o $B/symbols-none.o $B/symbols-none.asm
	$(AO_LINK) -o $@ $(AO_OBJ) $B/symbols-none.o $(AO_LINK_LIBS)

$B/ao: $B/ao.unnamed
	@nm -n $< | awk -f boot/symbols.awk >$B/symbols.asm
	@nasm -f elf64 -o $B/symbols.o $B/symbols.asm
	$(AO_LINK) -o $@.debug $(AO_OBJ) $B/symbols.o $(AO_LINK_LIBS)
	@objcopy --strip-debug $@.debug $@

# What mkusb puts on a stick, and what the AO fetches over the network: packed,
# with a label. The boot loader unpacks it.
$B/barepost.update: $B/ao boot/update.py mailstore/store.h $B/version.h
	@$(PYTHON) boot/update.py $< $B/version.h >$@.new && mv $@.new $@

$B/font.c: drivers/console/font.py $(DEPS)/console-setup.done
	@$(PYTHON) $< font_small=$(FONTS)/Lat15-Terminus16.psf.gz \
		font_large=$(FONTS)/Lat15-Terminus32x16.psf.gz >$@

$B/charset_tables.c: mailstore/mime/charset.py
$B/html_names.c: mailstore/mime/html_names.py
$(MADE_SRC):
	@mkdir -p $(@D)
	@$(PYTHON) $< >$@.new && mv $@.new $@

$B/ao-obj/font.o: $B/font.c
	@mkdir -p $(@D)
	$(CC) $(AO_CFLAGS) -c -o $@ $<

# The web server's static files: every file of this folder.
ASSETS := $(wildcard firmware/web/assets/*)
$B/assets.c: firmware/http/assets.py $(ASSETS) firmware/web/assets
	@$(PYTHON) firmware/http/assets.py $(ASSETS) >$@

$B/ao-obj/assets.o: $B/assets.c
	@mkdir -p $(@D)
	$(CC) $(AO_CFLAGS) -c -o $@ $<

$B/ao-obj/%.o: %.c | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) $(AO_CFLAGS) -c -o $@ $<

$B/ao-obj/%.asm.o: %.asm | $(ALL_DEPS)
	@mkdir -p $(@D)
	nasm -f elf64 -g -F dwarf -MD $(@:.o=.d) -o $@ $<

# What brings the same AO into memory under UEFI.
UEFI_SRC := $(wildcard boot/uefi/*.c)
UEFI_CORE_SRC := $(addprefix firmware/core/,inflate.c program.c sha256.c)
UEFI_OBJ := $(UEFI_SRC:%.c=$B/uefi-obj/%.o) $(UEFI_CORE_SRC:%.c=$B/uefi-obj/%.o)
UEFI_CFLAGS = -std=c17 -g -O2 -ffreestanding -fpic -fvisibility=hidden \
	-mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-ident -fno-asynchronous-unwind-tables \
	-fno-jump-tables $(WARNINGS) -I. -Ifirmware -MMD -MP

$B/uefi-obj/%.o: %.c | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) $(UEFI_CFLAGS) -c -o $@ $<

$B/BOOTX64.EFI: $(UEFI_OBJ) boot/uefi/loader.ld
	ld -m i386pep --subsystem 10 -e efi_main --image-base 0 -nostdlib -s \
		--no-insert-timestamp -T boot/uefi/loader.ld -o $@ $(UEFI_OBJ)

# SQLite is built again when its options change.
$(DEPS)/sqlite-options: FORCE
	@mkdir -p $(@D)
	@echo '$(SQLITE_OPTIONS)' | cmp -s - $@ || echo '$(SQLITE_OPTIONS)' >$@
.PHONY: FORCE
FORCE:

# Queries run on small stacks, and SQLite goes down into JSON by recursion.
JSON_DEPTH := 100
$(DEPS)/sqlite3.c: $(SQLITE)/sqlite3.c $(DEPS)/sqlite-options
	@sed 's/^#define JSON_MAX_DEPTH .*/#define JSON_MAX_DEPTH $(JSON_DEPTH)/' $< >$@.new
	@grep -q 'JSON_MAX_DEPTH $(JSON_DEPTH)$$' $@.new && mv $@.new $@

$(DEPS)/ao/sqlite3.o: $(DEPS)/sqlite3.c
	@mkdir -p $(@D)
	$(CC) $(AO_LIB_CFLAGS) $(SQLITE_OPTIONS) -c -o $@ $<

$(DEPS)/ao/argon2id/%.o: | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) $(AO_LIB_CFLAGS) $(ARGON2_OPTIONS) -c -o $@ $(ARGON2)/$*.c

# The inner loop, by SSE2: every x86-64 has it.
$(DEPS)/ao/argon2id/fill.o: | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) $(AO_LIB_CFLAGS) $(ARGON2_FILL_OPTIONS) -c -o $@ $(ARGON2)/opt.c

$(DEPS)/ao/musl/%.o: | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) $(MUSL_CFLAGS) -c -o $@ $(MUSL)/src/$*.c

$(DEPS)/ao/musl/%.s.o: | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) -c -o $@ $(MUSL)/src/$*.s

# ---- Host objects: sanitized (tests), plain (mkusb, native figures) ----------

HOST_SRC := $(FIRMWARE_SRC) $(SHARED_SRC) $(DRIVER_SRC) $(MKUSB_TESTED_SRC) \
	$(filter-out tests/unit/fake_machine.c,$(UNIT_HELP_SRC))
HOST_OBJ := $(HOST_SRC:%.c=$B/host/%.o) $B/host/assets.o \
	$B/host/firmware/core/coroutine_switch.asm.o
HOST_LIB_OBJ := $(DEPS)/host/sqlite/sqlite3.o $(ARGON2_SRC:%.c=$(DEPS)/host/argon2id/%.o) \
	$(DEPS)/host/argon2id/fill.o
TOOL_OBJ := $(MKUSB_SRC:%.c=$B/tool/%.o) $(SHARED_SRC:%.c=$B/tool/%.o) \
	$(TOOL_CORE_SRC:%.c=$B/tool/%.o)
TOOL_LIB_OBJ := $(HOST_LIB_OBJ:$(DEPS)/host/%=$(DEPS)/tool/%)

$B/host/assets.o: $B/assets.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -c -o $@ $<

$B/host/%.o: %.c | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -c -o $@ $<

$B/tool/%.o: %.c | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c -o $@ $<

$B/host/%.asm.o $B/tool/%.asm.o: %.asm | $(ALL_DEPS)
	@mkdir -p $(@D)
	nasm -f elf64 -o $@ $<

$(DEPS)/host/sqlite/sqlite3.o: $(DEPS)/sqlite3.c
	@mkdir -p $(@D)
	$(CC) -g -O1 -w -fsanitize=address,undefined -fno-sanitize-recover=all \
		-fno-sanitize=alignment,object-size $(SQLITE_OPTIONS) -c -o $@ $<

$(DEPS)/tool/sqlite/sqlite3.o: $(DEPS)/sqlite3.c
	@mkdir -p $(@D)
	$(CC) -g -O2 -w -fPIE $(SQLITE_OPTIONS) -c -o $@ $<

$(DEPS)/host/argon2id/fill.o $(DEPS)/tool/argon2id/fill.o: | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) -g -O2 -w -fPIE $(ARGON2_FILL_OPTIONS) -c -o $@ $(ARGON2)/opt.c

$(DEPS)/host/argon2id/%.o: | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) -g -O2 -w $(ARGON2_OPTIONS) -c -o $@ $(ARGON2)/$*.c

$(DEPS)/tool/argon2id/%.o: | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) -g -O2 -w -fPIE $(ARGON2_OPTIONS) -c -o $@ $(ARGON2)/$*.c

# Tests take from this archive what they need; what a test defines itself (a
# fake machine, a fake store) is not taken.
$B/host/barepost.a: $(HOST_OBJ) $(HOST_LIB_OBJ)
	@rm -f $@
	@ar qcs $@ $^

$B/mkusb: $(TOOL_OBJ) $(TOOL_LIB_OBJ)
	$(CC) -pie -o $@ $^ $(shell pkg-config --libs libusb-1.0) -lm

# ---- Tests -----------------------------------------------------------------

UNIT := $(UNIT_SRC:tests/unit/%.c=$B/unit/%)

# The fake machine is weak and linked as it is: it comes before the drivers'
# one, and after what a test defines itself.
$B/unit/%: $B/host/tests/unit/%.o $B/host/tests/unit/fake_machine.o \
		$B/host/barepost.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -no-pie -o $@ $^ -lm

# All card drivers and models of their chips, as they are: the drivers find
# their cards by the linker's table, which takes nothing out of an archive.
MODEL_SRC := $(wildcard tests/models/*.c)
MODEL_OBJ := $(MODEL_SRC:%.c=$B/host/%.o) \
	$(patsubst %.c,$B/host/%.o,$(wildcard drivers/nic/*.c))
$B/unit/test_nic_models: $B/host/tests/unit/test_nic_models.o $(MODEL_OBJ) \
		$B/host/tests/unit/fake_machine.o $B/host/barepost.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -no-pie -o $@ $^ -lm

# The AO's string functions, beside the host's.
$B/host/boot/string.asm.o: boot/string.asm | $(ALL_DEPS)
	@mkdir -p $(@D)
	nasm -f elf64 -DPREFIX=ao_ -o $@ $<

$B/unit/test_string: $B/host/tests/unit/test_string.o $B/host/boot/string.asm.o
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -no-pie -o $@ $^

.PHONY: unit
unit: $(UNIT)

# ---- The network room on a tap device ----------------------------------------

# tests/tap/NAME.c, for tests with real servers and clients.
TAP_SRC := $(wildcard tests/tap/*.c)
TAP := $(TAP_SRC:tests/tap/%.c=$B/tap/%)
$B/tap/%: $B/host/tests/tap/%.o $B/host/tests/unit/fake_machine.o \
		$B/host/barepost.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -no-pie -o $@ $^ -lm

# ---- The simulated PC ------------------------------------------------------

# tests/sim/NAME.c with a main() is a program; the other files are the PC.
# build/sim: with sanitizers; build/sim-fast: the same sources at native speed.
SIM_PROGRAMS := web_inbox power_cut lossy_wire stick_faults big_store relay_cut relay_days \
	query_turns update_cut
SIM_PC_SRC := $(filter-out $(SIM_PROGRAMS:%=tests/sim/%.c),$(SIM_SRC))
SIM_CORE := firmware/core/coroutine_switch.asm
FAST_CFLAGS := $(COMMON) -D_GNU_SOURCE -O2 $(WARNINGS)
FAST_OBJ := $(FIRMWARE_SRC:%.c=$B/fast/%.o) $(SHARED_SRC:%.c=$B/fast/%.o) \
	$(SIM_CORE:%=$B/fast/%.o) $B/fast/assets.o $(TOOL_LIB_OBJ)

$B/fast/assets.o: $B/assets.c
	@mkdir -p $(@D)
	$(CC) $(FAST_CFLAGS) -c -o $@ $<

$B/fast/%.o: %.c | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) $(FAST_CFLAGS) -c -o $@ $<

$B/fast/%.asm.o: %.asm | $(ALL_DEPS)
	@mkdir -p $(@D)
	nasm -f elf64 -o $@ $<

$B/fast/barepost.a: $(FAST_OBJ)
	@rm -f $@
	@ar qcs $@ $^

$B/sim/%: $B/host/tests/sim/%.o $(SIM_PC_SRC:%.c=$B/host/%.o) $B/host/barepost.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -no-pie -o $@ $^ -lm

$B/sim-fast/%: $B/fast/tests/sim/%.o $(SIM_PC_SRC:%.c=$B/fast/%.o) $B/fast/barepost.a
	@mkdir -p $(@D)
	$(CC) -no-pie -o $@ $^ -lm

# Its stick has a unit test of its own.
SIM_DISK_OBJ := $(patsubst %,$B/host/tests/%.o,unit/test_sim_disk sim/stick \
	sim/random sim/clock)
$B/unit/test_sim_disk: $(SIM_DISK_OBJ)
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -no-pie -o $@ $^

# Programs on mailstore/mime at native speed: many messages, and what a message
# consists of for tests in Python.
MIME_SRC := $(wildcard tests/mime/*.c)
MIME := $(MIME_SRC:tests/mime/%.c=$B/mime/%)
$B/mime/%: $B/fast/tests/mime/%.o $B/fast/barepost.a
	@mkdir -p $(@D)
	$(CC) -no-pie -o $@ $^ -lm

.PHONY: sim sim-fast
sim: $(SIM_PROGRAMS:%=$B/sim/%)
sim-fast: $(SIM_PROGRAMS:%=$B/sim-fast/%)
# ---- make check: what needs no machine -----------------------------------------

CHECK_SRC := $(filter-out $(MADE_SRC),$(AO_C)) $(UEFI_SRC) $(MKUSB_SRC)
CHECK_TEST_SRC := $(SIM_SRC) $(TAP_SRC) $(UNIT_SRC) $(UNIT_HELP_SRC) $(MODEL_SRC) \
	$(wildcard tests/bench/*.c tests/fuzz/*.c tests/mime/*.c)
CHECK_H := $(wildcard boot/*.h boot/*/*.h drivers/*.h drivers/*/*.h firmware/*.h \
	firmware/*/*.h mailstore/*.h mailstore/*/*.h userdb/*.h mkusb/*.h tests/*/*.h)
CHECK_ALL := $(sort $(CHECK_SRC) $(CHECK_TEST_SRC) $(CHECK_H))

# clang has no such warnings, and its headers are its own. In its -Wconversion
# is one that a check with a text (condition && "text") would set off.
CLANG_LACKS := -Wlogical-op -Wduplicated-cond -fzero-call-used-regs=used-gpr \
	-ftrivial-auto-var-init=zero
CLANG_AO = $(filter-out $(CLANG_LACKS),$(subst \
	$(shell $(CC) -print-file-name=include),$(shell clang-14 \
	-print-resource-dir 2>/dev/null)/include,$(AO_CFLAGS)))
CLANG_HOST := $(filter-out $(CLANG_LACKS),$(TOOL_CFLAGS))
TIDY_FLAGS = $(if $(filter mkusb/% tests/%,$<),$(CLANG_HOST),$(if $(filter boot/uefi/%,$<),$(filter-out $(CLANG_LACKS),$(UEFI_CFLAGS)),$(CLANG_AO)))

CHECK_STEPS := check-layering check-sizes check-format check-gcc check-clang \
	check-cppcheck check-tidy
.PHONY: check $(CHECK_STEPS)
check: | $(ALL_DEPS)
	@$(MAKE) --no-print-directory $(CHECK_STEPS)
	@echo "check: $(words $(CHECK_SRC)) sources, $(words $(CHECK_H)) headers," \
		"$(words $(CHECK_TEST_SRC)) test sources: layering, sizes, format," \
		"gcc and clang with -Werror, cppcheck, clang-tidy: all clean"

check-layering:
	@$(PYTHON) tests/check/layering.py

check-sizes:
	@$(PYTHON) tests/check/sizes.py $(CHECK_ALL)

check-format:
	@clang-format-14 --dry-run -Werror $(CHECK_ALL)
	@echo "format: $(words $(CHECK_ALL)) files as .clang-format wants them"

check-gcc: $(AO_OBJ) $(UEFI_OBJ) $(MKUSB_SRC:%.c=$B/tool/%.o) \
	$(CHECK_TEST_SRC:%.c=$B/host/%.o)
	@echo "gcc: $(words $(CHECK_SRC) $(CHECK_TEST_SRC)) files without a warning"

check-clang: $(CHECK_SRC:%.c=$B/check/%.clang.o) \
	$(CHECK_TEST_SRC:%.c=$B/check/%.clang.o)
	@echo "clang: $(words $^) files without a warning"

check-tidy: $(CHECK_SRC:%.c=$B/check/%.tidy)
	@echo "clang-tidy: $(words $^) files without a finding"

$B/check/%.clang.o: %.c | $(ALL_DEPS)
	@mkdir -p $(@D)
	@clang-14 $(TIDY_FLAGS) -Wno-unused-command-line-argument \
		-Wno-string-conversion -c -o $@ $<

# The compiled file knows the headers that a finding may depend on.
$B/check/%.tidy: %.c $B/check/%.clang.o .clang-tidy
	@clang-tidy-14 --quiet $< -- $(filter-out -MMD -MP -Werror,$(TIDY_FLAGS)) \
		-Wno-unused-command-line-argument >$@.out 2>&1 || \
		{ cat $@.out; exit 1; }
	@touch $@

# Not asked for: comparePointers (symbols of the linker script are compared on
# purpose), what follows a pointer through other files (it takes ASSERT for a
# check that may fail), and sizes and sums of pointers that are meant so.
CPPCHECK_LESS := missingInclude missingIncludeSystem comparePointers \
	ctunullpointer ctuuninitvar nullPointerArithmeticRedundantCheck pointerSize

check-cppcheck:
	@mkdir -p $B/check/cppcheck
	@cppcheck -q -j2 --std=c11 --enable=warning,performance,portability \
		--inline-suppr --error-exitcode=1 --cppcheck-build-dir=$B/check/cppcheck \
		$(CPPCHECK_LESS:%=--suppress=%) \
		--template='{file}:{line}: {message} [{id}]' \
		-I. -Ifirmware -D__x86_64__ $(CHECK_SRC)
	@echo "cppcheck: $(words $(CHECK_SRC)) files without a finding"

# ---- make fuzz -----------------------------------------------------------------

# Each tests/fuzz/fuzz_NAME.c by libFuzzer with sanitizers, FUZZ_SECONDS long;
# it takes what it needs of all the firmware, built for it by clang.
FUZZ_SECONDS := 60
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ := $(FUZZ_SRC:tests/fuzz/%.c=$B/fuzz/%)
FUZZ_CFLAGS := $(filter-out $(CLANG_LACKS),$(COMMON)) -D_GNU_SOURCE -O1 \
	-fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all $(filter-out $(CLANG_LACKS),$(WARNINGS)) \
	-Wno-string-conversion
FUZZ_OBJ := $(HOST_SRC:%.c=$B/fuzz-obj/%.o) $B/fuzz-obj/assets.o \
	$B/fuzz-obj/firmware/core/coroutine_switch.asm.o

$B/fuzz-obj/assets.o: $B/assets.c
	@mkdir -p $(@D)
	clang-14 $(FUZZ_CFLAGS) -c -o $@ $<

$B/fuzz-obj/%.o: %.c | $(ALL_DEPS)
	@mkdir -p $(@D)
	clang-14 $(FUZZ_CFLAGS) -c -o $@ $<

$B/fuzz-obj/%.asm.o: %.asm | $(ALL_DEPS)
	@mkdir -p $(@D)
	nasm -f elf64 -o $@ $<

$B/fuzz/barepost.a: $(FUZZ_OBJ) $(TOOL_LIB_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	@ar qcs $@ $^

$B/fuzz/%: $B/fuzz-obj/tests/fuzz/%.o $B/fuzz-obj/tests/unit/fake_machine.o \
		$B/fuzz/barepost.a
	clang-14 -fsanitize=fuzzer,address,undefined -no-pie -o $@ $^ -lm

.PHONY: fuzz
fuzz: $(FUZZ)
	@nice tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ)

# ---- make test, bench, run: in QEMU ----------------------------------------------

.PHONY: test scan bench bench-peer bench-profile size run
test: all unit $(TAP) $(if $(SIM_SRC),sim $B/sim-fast/relay_days) $(MIME) $(DEPS)/postfix.done \
		$(DEPS)/peers.done $(DEPS)/net_peers.done $(DEPS)/guest-kernel.done \
		$(DEPS)/browser.done
	@$(PYTHON) -m pytest -q -p no:cacheprovider -n 2 --dist loadfile \
		$(PYTEST_OPTIONS) tests/system

scan: all $(DEPS)/scan.done
	@$(PYTHON) tests/scan/scan.py $(SCAN_OPTIONS)

BENCH_CLIENTS := $(addprefix $B/bench/,pop3_load pop3_null)
bench: all $(DEPS)/postfix.done $(BENCH_CLIENTS) $B/sim-fast/big_store \
		$B/sim-fast/web_inbox
	@$(PYTHON) tests/bench/bench.py $(BENCH_OPTIONS)
	@$(if $(BENCH_OPTIONS),,$B/sim-fast/big_store && $B/sim-fast/web_inbox)

bench-peer: all $(DEPS)/postfix.done $(BENCH_CLIENTS) $(PEER_IMAGE)
	@$(PYTHON) tests/bench/bench.py --peer $(BENCH_OPTIONS)

$(BENCH_CLIENTS): $B/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) -std=c17 -D_GNU_SOURCE -O2 $(WARNINGS) -o $@ $<

$B/bench/%.so: tests/bench/%.c | $(ALL_DEPS)
	@mkdir -p $(@D)
	$(CC) -std=c17 -O2 $(WARNINGS) -shared -fPIC -o $@ $<

bench-profile: all $(DEPS)/postfix.done $(BENCH_CLIENTS) $B/bench/profile_plugin.so
	@$(PYTHON) tests/bench/profile.py $(BENCH_OPTIONS)

size: all
	@$(PYTHON) tests/bench/size.py

run: all
	@$(PYTHON) tests/demo/run.py

.PHONY: clean
clean:
	find $B -mindepth 1 -maxdepth 1 ! -name deps -exec rm -rf {} +

.SECONDARY:
-include $(shell find $B -path $(DEPS) -prune -o -name '*.d' -print 2>/dev/null)
