# Installs packages and builds; sourced by ./run and ./test, which set `root` to the checkout.
# Nothing is printed where nothing has to be done. Long output goes to a log; what failed is shown.

build=$root/build/release
packages_file=$root/scripts/packages.txt

say() { printf '%s\n' "$*" >&2; }

# The packages of the named sections, one a line; without those whose command is there already from
# elsewhere ("npm|npm"), with which Debian's own may not go together.
packages_of() {
    local line section='' wanted=" $* "
    while IFS= read -r line || [[ -n $line ]]; do
        line=${line%%#*}
        line=${line//[[:space:]]/}
        case $line in
            '') ;;
            '['*']') section=${line:1:-1} ;;
            *)
                [[ $wanted == *" $section "* ]] || continue
                [[ $line == *'|'* ]] && command -v "${line#*|}" >/dev/null && continue
                printf '%s\n' "${line%%|*}"
                ;;
        esac
    done <"$packages_file"
    return 0
}

# Those of the named sections that are neither installed nor provided by what is (a nodejs of
# another source brings its npm, and refuses Debian's).
missing_packages() {
    local wanted
    mapfile -t wanted < <(packages_of "$@")
    comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
        <(dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides}\n' 2>/dev/null |
            sed -n -e 's/ ([^)]*)//g' -e 's/^installed //p' | tr -s ', ' '\n' | sort -u)
}

# with_log <log> <what> <remedy> <command...>: runs it with its output in the log; on failure shows
# the log's end and the remedy, and leaves.
with_log() {
    local log=$1 what=$2 remedy=$3
    shift 3
    if "$@" >>"$log" 2>&1; then
        return 0
    fi
    say ''
    say "durascribe: $what failed. The end of $log:"
    tail -n 40 "$log" >&2
    say ''
    say "$remedy"
    exit 1
}

# Installs what is missing of the named sections. A stamp younger than dpkg's own record, made for
# this very list, says that nothing is.
install_packages() {
    local stamp key missing log=$root/build/install.log as_root=()
    stamp=$root/build/.installed-$(IFS=-; printf '%s' "$*")
    key=$(cksum <"$packages_file")
    if [[ -f $stamp && ! /var/lib/dpkg/status -nt $stamp && $(<"$stamp") == "$key" ]]; then
        return 0
    fi
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say 'durascribe: this machine has no apt-get. Install the equivalents of these Debian 12'
        say "packages, then build with: cmake --preset release && ninja -C build/release"
        packages_of "$@" >&2
        exit 1
    fi
    mapfile -t missing < <(missing_packages "$@")
    if ((${#missing[@]} > 0)); then
        if ((EUID != 0)); then
            if ! command -v sudo >/dev/null; then
                say 'durascribe: some packages are missing, and neither root nor sudo is at hand. As root, run:'
                say "  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
                exit 1
            fi
            as_root=(sudo)
        fi
        say "Installing ${#missing[@]} packages (log: $log) ..."
        : >"$log"
        with_log "$log" 'apt-get update' 'Check the network and the package sources in /etc/apt, then run this again.' \
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update
        with_log "$log" 'Installing packages' \
            "Make this work, then run this again: apt-get install --no-install-recommends ${missing[*]}" \
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
    fi
    printf '%s\n' "$key" >"$stamp"
}

# Whether the build directory was configured with tests (ON), without (OFF), or not at all (empty).
configured_tests() {
    [[ -f $build/CMakeCache.txt && -f $build/build.ninja ]] || return 0
    sed -n 's/^DURASCRIBE_TESTS:BOOL=//p' "$build/CMakeCache.txt"
}

# configure <ON|OFF>: (re)configures the release build.
configure() {
    local log=$root/build/configure.log
    : >"$log"
    # A checkout that was moved or copied can't go on with its old build directory.
    if [[ -f $build/CMakeCache.txt ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$build/CMakeCache.txt"; then
        rm -rf "$build"
    fi
    if [[ -z ${DURASCRIBE_LAUNCHER:-} ]] && command -v ccache >/dev/null; then
        export DURASCRIBE_LAUNCHER=ccache
    fi
    with_log "$log" 'Configuring the build' "Put right what it names, or remove $root/build and run this again." \
        cmake -S "$root" --preset release -DDURASCRIBE_TESTS="$1"
}

# build_targets <what is said> <target...>: silent where it takes less than a second.
build_targets() {
    local what=$1 log=$root/build/build.log notice
    shift
    : >"$log"
    { sleep 1 && say "Building $what (log: $log) ..."; } 9>&- &
    notice=$!
    with_log "$log" 'The build' "If the sources are unchanged, remove $root/build and run this again; else put right what the compiler names." \
        ninja -C "$build" "$@"
    kill "$notice" 2>/dev/null || true
    wait "$notice" 2>/dev/null || true
}

# One install or build at a time in one checkout. The lock is released by unlock, so that the
# program that is started does not inherit it.
lock() {
    mkdir -p "$root/build"
    exec 9>"$root/build/.lock"
    if ! flock -n 9; then
        say 'Another ./run or ./test is building here: waiting for it ...'
        flock 9
    fi
}
unlock() { exec 9>&-; }
