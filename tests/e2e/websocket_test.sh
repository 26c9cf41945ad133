#!/usr/bin/env bash
# The WebSocket client that most Node.js programs use, against the server: snapshot, events, replay,
# earlier clients' address, a foreign page, the end of the server.
source "$(dirname "$0")/lib.sh" "$@"

install_client websocket

listens() { grep -q listening "$output"; }

start_server
timeout 120 node "$client/client.mjs" "$url" "$samples/short.wav" >"$output" 2>"$errors" &
client_pid=$!
background_pids+=("$client_pid")
wait_until 120 'the client has seen everything' listens
stop_server
expect_code 0 'SIGTERM while a client listens'
wait "$client_pid" || failed 'what the client got'
