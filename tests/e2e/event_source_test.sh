#!/usr/bin/env bash
# A browser's EventSource against the server: a snapshot, an upload's events, the death of the server by
# SIGKILL in the middle of the next, and the same stream after its next start.
source "$(dirname "$0")/lib.sh" "$@"

export CHROMIUM=${CHROMIUM:-$(command -v chromium)}
if [[ -z $CHROMIUM ]]; then
    echo 'Chromium is not installed: the browser was not run (apt-get install chromium).'
    exit 77
fi
install_client event_source
start_server
port=${url##*:}
timeout 420 node "$client/client.mjs" "$url" "$samples/short.wav" "$server_pid" >"$output" 2>"$errors" &
client_pid=$!
background_pids+=("$client_pid")
wait "$server_pid" 2>/dev/null
server_pid=''
start_server_on "${port%/}"
wait "$client_pid" || failed 'what the browser heard'
expect_in "$output" 'none missed and none doubled'
