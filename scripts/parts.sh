# shellcheck shell=bash
# Sourced by the scripts that run tests: runs one part after the other, says a line about each, and shows what failed.
# All of a part's output is in .build/test-output/PART.log.

outputs=.build/test-output
mkdir -p "$outputs"
failed_parts=()

# part NAME COMMAND...
part() {
    local name=$1 log status=0
    log="$outputs/${name//[^A-Za-z0-9.]/-}.log"
    shift
    echo "$name ..."
    "$@" >"$log" 2>&1 || status=$?
    if [ "$status" -eq 0 ]; then
        # What a test run, a build and a check end with.
        grep -v '^[[:space:]]*$' "$log" | tail -n 1
        return
    fi
    failed_parts+=("$name")
    echo "✘ $name ended with $status; all of its output is in $log:"
    # A failure goes on until the next test begins or ends; logs of failed tests stand behind bars.
    awk '/^✘|error: |Fatal error/{failed=1} /^[◇✔]/{failed=0} failed || /^│/' "$log" | tail -n 400
    tail -n 3 "$log"
}

# Ends the script; to be called last.
end_of_parts() {
    [ "${#failed_parts[@]}" -eq 0 ] && exit 0
    printf 'failed: %s\n' "${failed_parts[@]}"
    exit 1
}
