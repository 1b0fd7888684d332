#!/bin/sh
# Runs each fuzz target for a while: run.sh SECONDS TARGET...
# What it finds and learns stays in the folder TARGET.corpus beside the target;
# a finding's input is printed by its name and lies in TARGET.found.
seconds=$1
shift
passed=0
failed=0
for target in "$@"; do
    name=${target##*/}
    dict=tests/fuzz/${name#fuzz_}.dict
    mkdir -p "$target.corpus" "$target.found"
    if "$target" -max_total_time="$seconds" -timeout=20 -max_len=4096 \
        -print_final_stats=1 -artifact_prefix="$target.found/" \
        ${dict:+$([ -f "$dict" ] && echo "-dict=$dict")} \
        "$target.corpus" >"$target.log" 2>&1; then
        passed=$((passed + 1))
        echo "$name: $(awk '/number_of_executed_units/ { print $2 }' \
            "$target.log") inputs in $seconds s, nothing found"
    else
        failed=$((failed + 1))
        echo "$name: FAILED, see $target.log"
        grep -E 'ERROR|SUMMARY|runtime error|Test unit written' "$target.log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
