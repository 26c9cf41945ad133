#!/usr/bin/env bash
# OpenAI's own client for Node.js against the server: formats, stream, errors, a dropped connection.
source "$(dirname "$0")/lib.sh" "$@"

if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    echo 'Node.js is not installed: the client was not run (apt-get install nodejs npm).'
    exit 77
fi

# Installed once for each lock file.
here=$(cd "$(dirname "$0")/openai" && pwd -P)
client=$bin/../e2e-openai
if ! cmp -s "$here/package-lock.json" "$client/installed"; then
    mkdir -p "$client"
    cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$client/"
    npm --prefix "$client" ci --ignore-scripts >"$output" 2>"$errors" || failed 'npm ci'
    cp "$here/package-lock.json" "$client/installed"
fi
cp "$here/client.mjs" "$client/"

start_server
node "$client/client.mjs" "$url" "$samples" "$work/streamed.txt" >"$output" 2>"$errors" ||
    failed 'what the client got'
found=$(words_found "$samples/talk.txt" "$work/streamed.txt")
((found >= 70)) || failed "only $found % of the words are in the stream"
stop_server
expect_code 0 'SIGTERM'
