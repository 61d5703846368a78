# A private Postgres. Sourced after servers.sh and packages.sh.
# shellcheck shell=bash

# Postgres refuses root: then it is the `postgres` user of Debian's package, who must own its directory.
as_postgres=()
[ "$(id -u)" != 0 ] || as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)

# start_postgres DIRECTORY PROFILE: writes DIRECTORY/postgres.env when it answers.
start_postgres() {
    local directory=$1 profile=$2 quick=()
    find_postgres
    mkdir "$directory/postgres"
    [ "$(id -u)" != 0 ] || chown postgres:postgres "$directory/postgres"
    [ "$profile" = durable ] || quick=(--no-sync)
    # Trust is for loopback only: the server listens nowhere else.
    (cd "$directory/postgres" && "${as_postgres[@]}" initdb -D "$directory/postgres/data" -U tickets -A trust -E UTF8 --locale=C "${quick[@]}") \
        >"$directory/postgres.log" 2>&1 || {
        tail -n 15 "$directory/postgres.log" >&2
        return 1
    }
    postgres_profile=$profile
    start_with_retries "$directory" postgres launch_postgres
}

launch_postgres() {
    local directory=$1 port quick=()
    port=$(free_port)
    [ "$postgres_profile" = durable ] || quick=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)
    # No Unix socket: its path may be too long, and its directory not ours.
    launch "$directory" postgres "${as_postgres[@]}" postgres -D "$directory/postgres/data" -p "$port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c max_connections=300 "${quick[@]}"
    until_true 60 postgres_answers "$directory" "$port" || return 1
    postgres_query "$port" postgres 'create database tickets_dev' >/dev/null || return 1
    # shellcheck disable=SC2016  # expands where the file is read
    printf 'export DATABASE_URI=postgres://tickets@127.0.0.1:%s/tickets_dev\nexport DATABASE_URL=$DATABASE_URI\n' "$port" >"$directory/postgres.env"
}

# That it is ours that answers, and not another on a port that was taken first.
postgres_answers() {
    [ "$(postgres_query "$2" postgres 'show data_directory' 2>/dev/null)" = "$1/postgres/data" ]
}

postgres_query() { psql -X -q -A -t -v ON_ERROR_STOP=1 "postgres://tickets@127.0.0.1:$1/$2?connect_timeout=5" -c "$3" </dev/null; }
