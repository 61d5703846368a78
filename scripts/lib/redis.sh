# A private Redis. Sourced after servers.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154  # $launched, of servers.sh

# start_redis DIRECTORY PROFILE: writes DIRECTORY/redis.env when it answers.
start_redis() {
    mkdir "$1/redis"
    redis_profile=$2
    start_with_retries "$1" redis launch_redis
}

launch_redis() {
    local directory=$1 port keep=(--save '' --appendonly no)
    port=$(free_port)
    [ "$redis_profile" != durable ] || keep=(--appendonly yes)
    launch "$directory" redis redis-server --port "$port" --bind 127.0.0.1 --dir "$directory/redis" "${keep[@]}"
    until_true 30 redis_answers "$port" || return 1
    printf 'export REDIS_ADDR=127.0.0.1:%s\n' "$port" >"$directory/redis.env"
}

# PONG, and from the process that we started.
redis_answers() {
    [ "$(redis-cli -h 127.0.0.1 -p "$1" ping 2>/dev/null)" = PONG ] &&
        redis-cli -h 127.0.0.1 -p "$1" info server 2>/dev/null | tr -d '\r' | grep -qx "process_id:$launched"
}
