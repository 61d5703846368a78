# A private Redis. Sourced after servers.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154  # $launched, of servers.sh, and $root

# start_redis DIRECTORY PROFILE: writes DIRECTORY/redis.env when it answers.
start_redis() {
    mkdir "$1/redis"
    redis_profile=$2
    start_with_retries "$1" redis launch_redis
}

launch_redis() {
    local directory=$1 port
    port=$(free_port)
    launch "$directory" redis bash "$root/scripts/backends" node redis "$directory/redis" "$port" "$redis_profile"
    until_true 30 redis_answers "$port" || return 1
    printf 'export REDIS_ADDR=127.0.0.1:%s\n' "$port" >"$directory/redis.env"
}

# node_redis DIRECTORY PORT PROFILE: becomes a Redis that keeps its data there; in the profile `tests` nothing of it reaches the disk.
node_redis() {
    local keep=(--save '' --appendonly no)
    [ "$3" != durable ] || keep=(--appendonly yes)
    mkdir -p "$1"
    exec redis-server --port "$2" --bind 127.0.0.1 --dir "$1" "${keep[@]}"
}

# PONG, and from the process that we started.
redis_answers() {
    [ "$(redis-cli -h 127.0.0.1 -p "$1" ping 2>/dev/null)" = PONG ] &&
        redis-cli -h 127.0.0.1 -p "$1" info server 2>/dev/null | tr -d '\r' | grep -qx "process_id:$launched"
}
