# Words on the terminal: progress with the time since the start, headings, and the end of the line. Sourced.
# shellcheck shell=bash

# Scripts that call each other count from the first one's start.
export TICKETS_STARTED="${TICKETS_STARTED:-$(date +%s)}"

elapsed() {
    local seconds=$(($(date +%s) - TICKETS_STARTED))
    printf '%d:%02d' $((seconds / 60)) $((seconds % 60))
}

# Progress goes to standard error, so that a script's result can be read from standard output.
say() { printf '[%s] %s\n' "$(elapsed)" "$*" >&2; }

heading() { printf '\n=== [%s] %s\n' "$(elapsed)" "$*" >&2; }

die() {
    printf '[%s] error: %s\n' "$(elapsed)" "$*" >&2
    exit 1
}

# step TITLE COMMAND…: a heading, the command, and how long it took; ends the script when it fails.
step() {
    local title=$1 began=$SECONDS status=0
    shift
    heading "$title"
    "$@" || status=$?
    [ "$status" = 0 ] || die "failed: $title (after $((SECONDS - began)) s)"
    say "done: $title ($((SECONDS - began)) s)"
}
