#!/usr/bin/env bash
# OpenAI's own client for Node.js against the server: formats, stream, errors, a dropped connection.
source "$(dirname "$0")/lib.sh" "$@"

install_client openai

start_server
node "$client/client.mjs" "$url" "$samples" "$work/streamed.txt" >"$output" 2>"$errors" ||
    failed 'what the client got'
found=$(words_found "$samples/talk.txt" "$work/streamed.txt")
((found >= 70)) || failed "only $found % of the words are in the stream"
stop_server
expect_code 0 'SIGTERM'
