# A private Postgres. Sourced after servers.sh and packages.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154  # $root is the checkout

# Postgres refuses root: then it is the `postgres` user of Debian's package, who must own its directory.
as_postgres=()
[ "$(id -u)" != 0 ] || as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)

# start_postgres DIRECTORY PROFILE: writes DIRECTORY/postgres.env when it answers.
start_postgres() {
    postgres_profile=$2
    start_with_retries "$1" postgres launch_postgres
}

launch_postgres() {
    local directory=$1 port
    port=$(free_port)
    launch "$directory" postgres bash "$root/scripts/backends" node postgres "$directory/postgres" "$port" "$postgres_profile"
    until_true 60 postgres_answers "$directory" "$port" || return 1
    postgres_query "$port" postgres 'create database tickets_dev' >/dev/null || return 1
    # shellcheck disable=SC2016  # expands where the file is read
    printf 'export DATABASE_URI=postgres://tickets@127.0.0.1:%s/tickets_dev\nexport DATABASE_URL=$DATABASE_URI\n' "$port" >"$directory/postgres.env"
}

# node_postgres DIRECTORY PORT PROFILE: becomes a Postgres that keeps its data there, made when there is none; in the profile `tests` nothing
# is synced.
node_postgres() {
    local directory=$1 port=$2 profile=$3 quick=() bound=()
    find_postgres || die "Postgres' programs are not here"
    if [ ! -e "$directory/data/PG_VERSION" ]; then
        mkdir -p "$directory"
        [ "$(id -u)" != 0 ] || chown postgres:postgres "$directory"
        [ "$profile" = durable ] || quick=(--no-sync)
        # Trust is for loopback only: the server listens nowhere else.
        (cd "$directory" && "${as_postgres[@]}" initdb -D "$directory/data" -U tickets -A trust -E UTF8 --locale=C "${quick[@]}") || exit 1
    fi
    [ "$profile" = durable ] || quick=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)
    # Becoming another user undoes what the starter asked of the kernel: to end this with itself.
    [ -z "${TICKETS_NODE_BOUND-}" ] || bound=(setpriv --pdeathsig KILL)
    # No Unix socket: its path may be too long, and its directory not ours.
    exec "${as_postgres[@]}" "${bound[@]}" postgres -D "$directory/data" -p "$port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c max_connections=300 "${quick[@]}"
}

# That it is ours that answers, and not another on a port that was taken first.
postgres_answers() {
    [ "$(postgres_query "$2" postgres 'show data_directory' 2>/dev/null)" = "$1/postgres/data" ]
}

postgres_query() { psql -X -q -A -t -v ON_ERROR_STOP=1 "postgres://tickets@127.0.0.1:$1/$2?connect_timeout=5" -c "$3" </dev/null; }
