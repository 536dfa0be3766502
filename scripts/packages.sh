# shellcheck shell=bash
# Sourced by the set-up scripts: installs Debian and Ubuntu packages without leaving their services running.

say() { echo "setup: $*" >&2; }

fail() {
    say "$*"
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "installing packages needs root: run this as root, or install sudo"
    fi
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_packages() {
    local package
    for package in "$@"; do
        is_installed "$package" || echo "$package"
    done
}

under_systemd() { [ -d /run/systemd/system ]; }

# A package's service starts as it is installed. While a policy-rc.d refuses, none does.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no

forbid_services() {
    if [ -e "$policy" ] || [ -L "$policy" ]; then
        say "services: $policy is there already and decides"
        return
    fi
    policy_is_ours=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

allow_services() {
    if [ "$policy_is_ours" = yes ]; then
        policy_is_ours=no
        as_root rm -f "$policy"
    fi
}

# install SERVICES PACKAGE...
# Installs those packages that are missing. SERVICES are the units, separated by spaces, that those packages bring and that stay off.
install_packages() {
    local services=$1 service missing
    shift
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -eq 0 ] && return 0
    say "installing ${missing[*]}"

    # What was enabled or running before stays as it is.
    local to_disable=()
    for service in $services; do
        if ! under_systemd; then break; fi
        if ! systemctl is-enabled --quiet "$service" 2>/dev/null && ! systemctl is-active --quiet "$service" 2>/dev/null; then
            to_disable+=("$service")
        fi
    done

    trap allow_services EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    forbid_services
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq)
    # The lists may be absent or out of date; only then are they fetched.
    if ! "${apt[@]}" install --simulate "${missing[@]}" >/dev/null 2>&1; then
        say "fetching the package lists"
        as_root "${apt[@]}" update
    fi
    as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null || {
        say "trying again with fresh package lists"
        as_root "${apt[@]}" update
        as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
    }
    if [ "${#to_disable[@]}" -gt 0 ]; then
        say "keeping ${to_disable[*]} switched off"
        for service in "${to_disable[@]}"; do
            if systemctl cat "$service" >/dev/null 2>&1; then
                as_root systemctl disable --quiet --now "$service"
            fi
        done
    fi
    allow_services
    trap - EXIT INT TERM
}

require_apt() {
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null && return
    say "this system has no apt; install $1 yourself"
    fail "(macOS: brew install $2)"
}
