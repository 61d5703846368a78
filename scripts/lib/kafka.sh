# A private Apache Kafka, one node. Sourced after servers.sh; $root is the checkout.
# shellcheck shell=bash
# shellcheck disable=SC2154  # $root

kafka_version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$root/scripts/kafka/pom.xml")
kafka_libs="$root/.tickets/kafka-$kafka_version"

kafka_is_fetched() { [ -e "$kafka_libs/.complete" ]; }

# Fetches Kafka's jars from Maven's registry, once per checkout (44 MB).
fetch_kafka() {
    kafka_is_fetched && return 0
    mkdir -p "$root/.tickets"
    local lock
    exec {lock}>"$root/.tickets/kafka.lock"
    # Two scripts at once: the second finds it done.
    flock "$lock"
    if ! kafka_is_fetched; then
        say "fetching Kafka $kafka_version by Maven (once per checkout)"
        local log
        log=$(mktemp)
        if ! (cd "$root/scripts/kafka" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$kafka_libs") </dev/null >"$log" 2>&1; then
            tail -n 15 "$log" >&2
            rm -f "$log"
            say "error: Maven could not fetch Kafka"
            return 1
        fi
        rm -f "$log"
        touch "$kafka_libs/.complete"
    fi
    exec {lock}>&-
}

# start_kafka DIRECTORY PROFILE: writes DIRECTORY/kafka.env when it answers. (A broker flushes alike in both profiles.)
start_kafka() {
    local directory=$1
    fetch_kafka || return 1
    mkdir "$directory/kafka"
    kafka_cluster="$(head -c 15 /dev/urandom | base64 | tr '+/' 'xy')AA"
    start_with_retries "$directory" kafka launch_kafka
}

launch_kafka() {
    local directory=$1 port controller_port
    port=$(free_port)
    controller_port=$(free_port)
    sed -e "s|@PORT@|$port|g" -e "s|@CONTROLLER_PORT@|$controller_port|g" -e "s|@DIRECTORY@|$directory/kafka|g" \
        "$root/scripts/kafka/server.properties" >"$directory/kafka/server.properties"
    local java=(java -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true
        -Dlog4j2.configurationFile="$directory/kafka/log4j2.properties" -cp "$kafka_libs/*")
    cp "$root/scripts/kafka/log4j2.properties" "$directory/kafka/"
    "${java[@]}" kafka.tools.StorageTool format -t "$kafka_cluster" -c "$directory/kafka/server.properties" --ignore-formatted \
        </dev/null >>"$directory/kafka.log" 2>&1 || return 1
    launch "$directory" kafka "${java[@]}" kafka.Kafka "$directory/kafka/server.properties"
    until_true 90 kafka_answers "$port" || return 1
    printf 'export KAFKA_BROKERS=127.0.0.1:%s\n' "$port" >"$directory/kafka.env"
}

# Asks for the cluster's metadata (Kafka's protocol, Metadata version 2, all topics): it names our cluster, and a broker that is up.
# By hand, because Kafka's own tools take a second of Java each time.
kafka_answers() {
    local answer
    answer=$(
        exec 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1" || exit 0
        #       length 14       Metadata v2     correlation 1   no client  all topics
        printf '\0\0\0\016''\0\003\0\002''\0\0\0\001''\377\377''\377\377\377\377' >&3
        timeout 2 dd bs=4096 count=1 <&3 | tr -d '\0'
    )
    [[ $answer == *127.0.0.1*"$kafka_cluster"* ]]
}
