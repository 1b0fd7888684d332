#!/bin/sh
# Runs each fuzz target for a while: run.sh SECONDS TARGET...
# SECONDS are of processor time, which take longer where others need it too.
# What it finds and learns stays in the folder TARGET.corpus beside the target;
# a finding's input is printed by its name and lies in TARGET.found.
seconds=$1
shift
passed=0
failed=0

# Sets `used` to the processor time of all targets so far, in seconds: of this
# shell's children, so not by a command substitution, which is one itself.
count() {
    times >"$1.times"
    used=$(awk 'NR == 2 { split($1, user, /[ms]/); print int(user[1] * 60 + user[2]) }' \
        "$1.times")
}

# One target until its time is over or it finds something.
fuzz() {
    name=${1##*/}
    dict=tests/fuzz/${name#fuzz_}.dict
    mkdir -p "$1.corpus" "$1.found"
    : >"$1.log"
    count "$1"
    end=$((used + seconds))
    left=$seconds
    while [ "$left" -gt 0 ]; do
        "$1" -max_total_time="$left" -timeout=20 -max_len=4096 \
            -print_final_stats=1 -artifact_prefix="$1.found/" \
            ${dict:+$([ -f "$dict" ] && echo "-dict=$dict")} \
            "$1.corpus" >>"$1.log" 2>&1 || return 1
        count "$1"
        left=$((end - used))
    done
}

for target in "$@"; do
    if fuzz "$target"; then
        passed=$((passed + 1))
        echo "$name: $(awk '/number_of_executed_units/ { sum += $2 } END { print sum }' \
            "$target.log") inputs in $seconds s of processor time, nothing found"
    else
        failed=$((failed + 1))
        echo "$name: FAILED, see $target.log"
        grep -E 'ERROR|SUMMARY|runtime error|Test unit written' "$target.log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
