# A private Apache Kafka. Sourced after servers.sh; $root is the checkout.
# shellcheck shell=bash
# shellcheck disable=SC2154  # $root

kafka_version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$root/scripts/kafka/pom.xml")
kafka_libs="$root/.tickets/kafka-$kafka_version"

kafka_archive=()
[ ! -e "$kafka_libs/classes.jsa" ] || kafka_archive=(-XX:SharedArchiveFile="$kafka_libs/classes.jsa" -Xlog:cds=off -Xlog:cds+dynamic=off)

kafka_is_fetched() { [ -e "$kafka_libs/.complete" ]; }

# Fetches Kafka's jars from Maven's registry, once per checkout (44 MB).
fetch_kafka() {
    kafka_is_fetched && kafka_is_warm && return 0
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
    kafka_is_warm || warm_kafka {lock}>&-
    exec {lock}>&-
}

# A broker starts in half the time when Java finds its classes in an archive: written once, by a broker that ends. Without it all goes as well.
kafka_is_warm() { [ -e "$kafka_libs/.warm" ]; }
warm_kafka() {
    local directory port launched
    directory=$(mktemp -d)
    port=$(free_port)
    kafka_cluster="$(kafka_cluster_id)"
    (
        kafka_archive=(-XX:ArchiveClassesAtExit="$kafka_libs/classes.jsa")
        node_kafka "$directory/kafka" "$kafka_cluster" 1 "$port:$(free_port)"
    ) </dev/null >"$directory/log" 2>&1 &
    launched=$!
    until_true 60 kafka_answers "$port" || say "Kafka will start without an archive of its classes"
    kill -s TERM "$launched" 2>/dev/null || true
    wait "$launched" 2>/dev/null || true
    cp "$directory/kafka/data/bootstrap.checkpoint" "$kafka_libs/" 2>/dev/null || true
    rm -rf -- "$directory"
    touch "$kafka_libs/.warm"
}

kafka_cluster_id() { echo "$(head -c 15 /dev/urandom | base64 | tr '+/' 'xy')AA"; }

# start_kafka DIRECTORY PROFILE: writes DIRECTORY/kafka.env when it answers. (A broker flushes alike in both profiles.)
start_kafka() {
    local directory=$1
    fetch_kafka || return 1
    mkdir "$directory/kafka"
    kafka_cluster="$(kafka_cluster_id)"
    start_with_retries "$directory" kafka launch_kafka
}

launch_kafka() {
    local directory=$1 port
    port=$(free_port)
    launch "$directory" kafka env KAFKA_SESSION_MS=60000 \
        bash "$root/scripts/backends" node kafka "$directory/kafka" "$kafka_cluster" 1 "$port:$(free_port)"
    until_true 90 kafka_answers "$port" || return 1
    printf 'export KAFKA_BROKERS=127.0.0.1:%s\n' "$port" >"$directory/kafka.env"
}

# node_kafka DIRECTORY CLUSTER NODE PORT:CONTROLLER_PORT…: becomes the NODE-th (from 1) of the brokers that listen on these ports. What it
# keeps is in DIRECTORY, and is there again when it is started again; after `kill -9` once KAFKA_SESSION_MS are over.
node_kafka() {
    local directory=$1 cluster=$2 node=$3 ports own='' voters='' number=0 copies=1 in_sync=1
    shift 3
    for ports in "$@"; do
        number=$((number + 1))
        voters+="${voters:+,}$number@127.0.0.1:${ports#*:}"
        [ "$number" != "$node" ] || own=$ports
    done
    [ -n "$own" ] || die "there is no node $node among $number"
    [ "$number" -lt 3 ] || copies=3 in_sync=2
    mkdir -p "$directory/data"
    sed -e "s|@NODE@|$node|g" -e "s|@VOTERS@|$voters|g" -e "s|@PORT@|${own%:*}|g" -e "s|@CONTROLLER_PORT@|${own#*:}|g" \
        -e "s|@COPIES@|$copies|g" -e "s|@IN_SYNC@|$in_sync|g" -e "s|@DIRECTORY@|$directory|g" \
        -e "s|@SESSION@|${KAFKA_SESSION_MS:-2000}|g" \
        "$root/scripts/kafka/server.properties" >"$directory/server.properties"
    cp "$root/scripts/kafka/log4j2.properties" "$directory/"
    local java=(java -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true
        "${kafka_archive[@]}" -Dlog4j2.configurationFile="$directory/log4j2.properties" -cp "$kafka_libs/*")
    if [ ! -e "$directory/data/meta.properties" ]; then
        if [ -e "$kafka_libs/bootstrap.checkpoint" ]; then
            # What the tool below writes, without a second of Java for it.
            cp "$kafka_libs/bootstrap.checkpoint" "$directory/data/"
            printf 'version=1\nnode.id=%s\ncluster.id=%s\ndirectory.id=%s\n' "$node" "$cluster" "$(kafka_cluster_id)" \
                >"$directory/data/meta.properties"
        else
            "${java[@]}" kafka.tools.StorageTool format -t "$cluster" -c "$directory/server.properties" --ignore-formatted || exit 1
        fi
    fi
    exec "${java[@]}" kafka.Kafka "$directory/server.properties"
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
