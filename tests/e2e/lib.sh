# What the end-to-end tests share. A test is `NAME_test.sh BIN_DIR SAMPLES_DIR`; it works in a fresh
# directory of its own and leaves nothing behind, neither files nor processes.
set -uo pipefail

bin=${1:?the directory of durascribe and durascribe-worker}
samples=${2:?the directory of the samples}
work=$(mktemp -d "${TMPDIR:-/tmp}/durascribe-e2e-XXXXXX")
data=$work/data
errors=$work/stderr
output=$work/stdout
server_pid=''
background_pids=()
unset "${!DURASCRIBE_@}"
# In place of the models that are installed (tests/support/make_small_model).
[[ -z ${TEST_MODELS:-} ]] || export DURASCRIBE_MODELS=$TEST_MODELS
export HOME=$work/home XDG_DATA_HOME=$work/xdg

clean_up() {
    local pid
    for pid in $server_pid "${background_pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT

failed() {
    printf 'FAILED: %s\n' "$*"
    printf -- '--- standard error of the last command\n'
    tail -n 30 "$errors" 2>/dev/null
    printf -- '--- standard output of the last command\n'
    tail -n 10 "$output" 2>/dev/null
    if [[ -f $work/server.log ]]; then
        printf -- '--- log of the server\n'
        tail -n 30 "$work/server.log"
    fi
    exit 1
}

# run <durascribe's arguments...>: sets `code`, `output` and `errors`.
run() {
    code=0
    "$bin/durascribe" "$@" >"$output" 2>"$errors" || code=$?
}
expect_code() { [[ $code == "$1" ]] || failed "exit code $code instead of $1: $2"; }
expect_file() { [[ -s $1 ]] || failed "no file $1"; }
expect_no_file() { [[ ! -e $1 ]] || failed "there is a file $1"; }
expect_in() { grep -qF -- "$2" "$1" || failed "\"$2\" is not in $1"; }

# wait_until <seconds> <what> <command...>: polls until the command succeeds; half a minute at least, which a
# machine with other work may need for anything.
wait_until() {
    local deadline=$((SECONDS + ($1 > 30 ? $1 : 30))) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || failed "not within its time: $what"
        sleep 0.05
    done
}

milliseconds() { date +%s%3N; }

# within <milliseconds> <what> <command...>: once in three times it takes less. What a machine with other work holds
# up is not held up three times.
within() {
    local most=$1 what=$2 begin took
    shift 2
    for _ in 1 2 3; do
        begin=$(milliseconds)
        "$@"
        took=$(($(milliseconds) - begin))
        ((took >= most)) || return 0
    done
    failed "$what took $took ms, more than $most each time"
}

is_ready() { grep -q 'is ready on' "$work/server.out"; }

# start_server <durascribe serve's arguments...>: sets `server_pid` and `url`.
start_server() {
    start_server_on 0 "$@"
}

# start_server_on <port> <arguments...>: the same, on the port of one that was killed.
start_server_on() {
    local port=$1
    shift
    : >"$work/server.out"
    "$bin/durascribe" serve --listen "127.0.0.1:$port" --data "$data" "$@" >"$work/server.out" 2>>"$work/server.log" &
    server_pid=$!
    wait_until 10 'the server is ready' is_ready
    url=$(sed -n 's/.*is ready on //p' "$work/server.out")
}

# stop_server: asks it to end, and waits; sets `code`.
stop_server() {
    kill -TERM "$server_pid"
    code=0
    wait "$server_pid" || code=$?
    server_pid=''
}

# install_client <name>: the npm packages of tests/e2e/<name>, once for each lock file, into a folder
# beside the binaries, with the *.mjs of that folder. Sets `client`. Ends the test as skipped where there
# is no Node.js.
install_client() {
    if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
        echo 'Node.js is not installed: the client was not run (apt-get install nodejs npm).'
        exit 77
    fi
    local from
    from=$(cd "$(dirname "${BASH_SOURCE[0]}")/$1" && pwd -P)
    client=$bin/../e2e-$1
    if ! cmp -s "$from/package-lock.json" "$client/installed"; then
        mkdir -p "$client"
        cp "$from/package.json" "$from/package-lock.json" "$from/.npmrc" "$client/"
        npm --prefix "$client" ci --ignore-scripts >"$output" 2>"$errors" || failed "npm ci for $1"
        cp "$from/package-lock.json" "$client/installed"
    fi
    cp "$from"/*.mjs "$client/"
}

has_unit() { readlink "/proc/$1/fd/"* 2>/dev/null | grep -qF "$data/blobs/"; }

# stop_at_work <role>: SIGSTOP to a worker of the server that has a unit, which so does not end; sets `worker`.
stop_at_work() {
    local pid
    for pid in $(pgrep -P "$server_pid" -f "durascribe-worker $1"); do
        has_unit "$pid" && kill -STOP "$pid" 2>/dev/null || continue
        if has_unit "$pid"; then
            worker=$pid
            return 0
        fi
        kill -CONT "$pid" 2>/dev/null # it has just ended that
    done
    return 1
}

# json <file> <python expression over d>
json() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }

# media_is <media id> <status...>: whether the media has one of these.
media_is() {
    local id=$1 now
    shift
    curl -fsS "$url/api/v1/media/$id/status" -o "$work/status.json" || return 1
    now=$(json "$work/status.json" 'd["status"]')
    [[ " $* " == *" $now "* ]]
}

# sql <statement>: over the database, read-only. Steps are numbers there: 2 is transcribe.
sql() { sqlite3 -readonly "file:$data/durascribe.db?mode=ro" "$1"; }

# The text of a file: how many of the words of its reference are in it, in percent.
words_found() {
    python3 - "$1" "$2" <<'PY'
import re, sys
words = lambda p: re.findall(r"[a-z']+", open(p, encoding="utf-8").read().lower())
want, got = words(sys.argv[1]), set(words(sys.argv[2]))
print(100 * sum(w in got for w in want) // max(1, len(want)))
PY
}

# long_recording <file> <seconds>: the talk, over and over.
long_recording() {
    ffmpeg -nostdin -v error -stream_loop -1 -i "$samples/talk.ogg" -t "$2" -ar 16000 -ac 1 "$1" ||
        failed 'ffmpeg could not make a recording'
}
