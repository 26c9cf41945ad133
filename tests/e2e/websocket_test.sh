#!/usr/bin/env bash
# The WebSocket client that most Node.js programs use, against the server: snapshot, events, replay,
# earlier clients' address, a foreign page, the end of the server.
source "$(dirname "$0")/lib.sh" "$@"

if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    echo 'Node.js is not installed: the client was not run (apt-get install nodejs npm).'
    exit 77
fi

# Installed once for each lock file.
here=$(cd "$(dirname "$0")/websocket" && pwd -P)
client=$bin/../e2e-websocket
if ! cmp -s "$here/package-lock.json" "$client/installed"; then
    mkdir -p "$client"
    cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$client/"
    npm --prefix "$client" ci --ignore-scripts >"$output" 2>"$errors" || failed 'npm ci'
    cp "$here/package-lock.json" "$client/installed"
fi
cp "$here/client.mjs" "$client/"

listens() { grep -q listening "$output"; }

start_server
timeout 120 node "$client/client.mjs" "$url" "$samples/short.wav" >"$output" 2>"$errors" &
client_pid=$!
background_pids+=("$client_pid")
wait_until 120 'the client has seen everything' listens
stop_server
expect_code 0 'SIGTERM while a client listens'
wait "$client_pid" || failed 'what the client got'
