# A private server's life: a free port, a start that is known by its process id, a stop that touches nothing else. Sourced after say.sh.
# shellcheck shell=bash

# Prints a port that nobody listens on, below the range that outgoing connections take. Somebody may still be faster: callers try again.
free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        # Connecting is refused: free. (Subshell: the descriptor closes with it.)
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# launch DIRECTORY NAME COMMAND…: starts a server in a session of its own (so Ctrl-C does not reach it before its users have stopped);
# its process id goes to NAME.pid and to $launched, and what it says to NAME.log. The pid file is there before the server runs; one that
# is launched while the directory is being stopped gives up by itself.
launch() {
    local directory=$1 name=$2
    shift 2
    # shellcheck disable=SC2016  # expands in the launched shell
    setsid bash -c 'cd "$1" && echo $$ >"$0.pid" && [ ! -e stopping ] && shift && exec "$@"' \
        "$name" "$directory" "$@" </dev/null >>"$directory/$name.log" 2>&1 &
    launched=$!
}

# until_true SECONDS COMMAND…: repeats until it succeeds; 1 when the launched process has gone or the time is up.
until_true() {
    local deadline=$(($(date +%s) + $1))
    shift
    until "$@"; do
        kill -0 "$launched" 2>/dev/null || return 1
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# start_with_retries DIRECTORY NAME FUNCTION: FUNCTION launches on fresh ports and waits; when a port was taken meanwhile, it is tried again.
start_with_retries() {
    local directory=$1 name=$2 function=$3 try
    for try in 1 2 3 4 5; do
        "$function" "$directory" && return 0
        stop_server "$directory" "$name"
        grep -qiE 'address already in use|could not bind' "$directory/$name.log" || break
        [ "$try" = 5 ] || mv "$directory/$name.log" "$directory/$name.log.$try"
    done
    say "error: $name did not start; the end of its log:"
    tail -n 15 "$directory/$name.log" >&2
    return 1
}

# Stops one server of the directory: politely, and after ten seconds for good.
stop_server() {
    local directory=$1 name=$2 signal=TERM pid waited
    [ -s "$directory/$name.pid" ] || return 0
    pid=$(cat "$directory/$name.pid")
    # TERM would have Postgres wait for its clients.
    [ "$name" != postgres ] || signal=INT
    for ((waited = 0; waited < 100; waited++)); do
        is_ours "$pid" "$directory" || break
        [ "$waited" != 0 ] || kill -s "$signal" "$pid" 2>/dev/null || true
        sleep 0.1
    done
    ! is_ours "$pid" "$directory" || kill -s KILL -- "-$pid" 2>/dev/null || true
    rm -f "$directory/$name.pid"
}

# All our servers work in our directory: a process that got a dead one's number does not (nor does one that is dead, but not yet buried).
is_ours() { [[ "$(readlink "/proc/$1/cwd")" == "$2"* ]]; }

# Stops every server of the directory, all at once, and removes it.
stop_all() {
    local directory=$1 name
    [ -d "$directory" ] || return 0
    touch "$directory/stopping"
    for name in postgres redis kafka; do
        stop_server "$directory" "$name" &
    done
    wait
    rm -rf -- "$directory"
}
