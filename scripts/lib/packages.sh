# What has to be on the machine: looked for first, installed by apt only when missing. Sourced after say.sh.
# shellcheck shell=bash

# Puts the newest Postgres server's programs on PATH, where Debian does not; fails when there are none.
find_postgres() {
    command -v initdb >/dev/null && command -v postgres >/dev/null && return 0
    local newest
    newest=$(find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
    [ -n "$newest" ] || return 1
    PATH="$(dirname "$newest"):$PATH"
}

# Kafka's brokers need Java 17.
java_is_new_enough() {
    command -v java >/dev/null || return 1
    local major
    major=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${major:-0}" -ge 17 ]
}

# Each prints the packages that are missing, one a line.
missing_for_build() {
    command -v cc >/dev/null && command -v c++ >/dev/null && command -v make >/dev/null || echo build-essential
    command -v pkg-config >/dev/null || echo pkg-config
    [ -e /usr/include/zlib.h ] || echo zlib1g-dev
}
missing_for_postgres() { (find_postgres && command -v psql >/dev/null) || echo postgresql; }
missing_for_redis() { command -v redis-server >/dev/null && command -v redis-cli >/dev/null || echo redis-server; }
missing_for_kafka() {
    # A newer Debian has no openjdk-17 but a newer one.
    java_is_new_enough || echo 'openjdk-17-jre-headless|openjdk-21-jre-headless|openjdk-25-jre-headless'
    kafka_is_fetched || command -v mvn >/dev/null || echo maven
}

# Whether packages can be installed from the background, where nobody can answer a password prompt.
can_install_silently() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }

# install_packages PACKAGE…: `a|b` takes the first that apt knows. Fails with a line that says what a person can do.
install_packages() {
    [ $# -gt 0 ] || return 0
    local apt=(apt-get -o DPkg::Lock::Timeout=300 -q -y) wanted=() as_root=() names="${*%%|*}" package log status=0
    if ! command -v apt-get >/dev/null; then
        say "error: these are missing, and there is no apt-get here to install them: $names"
        return 1
    fi
    # An apt that is stopped halfway leaves the machine's packages broken: it finishes.
    apt=(env '--ignore-signal=INT,TERM,HUP' DEBIAN_FRONTEND=noninteractive "${apt[@]}")
    if [ "$(id -u)" != 0 ]; then
        if ! can_install_silently && ! { [ -t 0 ] && command -v sudo >/dev/null && sudo -v; }; then
            say "error: these are missing, and installing them needs root or sudo. As root: apt-get install $names"
            return 1
        fi
        as_root=(sudo -n)
        apt=(sudo -n "${apt[@]}")
    fi
    log=$(mktemp)
    say "installing by apt: $names"
    if ! "${apt[@]}" update </dev/null >"$log" 2>&1; then
        say "apt-get update failed, so the lists that are here are used: $(tail -n 1 "$log")"
    fi
    for package in "$@"; do
        wanted+=("$(first_known "$package")")
    done
    deny_services
    "${apt[@]}" install --no-install-recommends "${wanted[@]}" </dev/null >"$log" 2>&1 || status=$?
    allow_services
    if [ "$status" != 0 ]; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        say "error: apt-get could not install ${wanted[*]}"
        return 1
    fi
    rm -f "$log"
    hash -r
}

# Debian starts a server as soon as its package is there. We need the programs alone: a server on the usual port would be the machine's from
# then on. A policy that the machine has already is left as it is.
deny_services() {
    services_policy=''
    [ ! -e /usr/sbin/policy-rc.d ] || return 0
    services_policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$services_policy" >/dev/null && "${as_root[@]}" chmod 755 "$services_policy"
}
allow_services() { [ -z "$services_policy" ] || "${as_root[@]}" rm -f "$services_policy"; }

first_known() {
    local choice
    for choice in ${1//|/ }; do
        if [ -n "$(apt-cache madison "$choice" 2>/dev/null)" ]; then
            echo "$choice"
            return
        fi
    done
    echo "${1%%|*}"
}

# Rust is the one thing that a machine must bring.
require_rust() {
    command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null || die "no cargo: install Rust first (https://rustup.rs)"
    cargo --version >/dev/null || die "cargo does not run: see the lines above"
    build_without_spaces
}

# librdkafka's configure script fails below a directory with a space in its path: then the build has a place of its own.
build_without_spaces() {
    local place="${XDG_CACHE_HOME:-$HOME/.cache}"
    [[ ${CARGO_TARGET_DIR:-$root} == *[[:space:]]* ]] || return 0
    [[ $place != *[[:space:]]* ]] || place=/var/tmp
    CARGO_TARGET_DIR="$place/tickets-$(id -u)-$(cksum <<<"$root" | cut -d ' ' -f 1)"
    export CARGO_TARGET_DIR
    say "the path of this checkout has a space, which librdkafka's build cannot bear: building in $CARGO_TARGET_DIR"
}
