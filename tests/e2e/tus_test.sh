#!/usr/bin/env bash
# tus-js-client against a real server: a file in pieces, paused, the server killed in the middle of one
# and started again, and the transcript in the end. A wrong checksum, by curl.
source "$(dirname "$0")/lib.sh" "$@"

install_client tus
start_server
port=${url##*:}
port=${port%/}
# A recording with so much behind it, which no decoder reads, that it can be interrupted.
{ cat "$samples/short.wav"; head -c 40000000 /dev/urandom; } >"$work/talk.wav"

node "$client/client.mjs" "$url/api/v1/uploads" "$work/talk.wav" "$server_pid" >"$work/made" 2>"$work/client.log" &
client_pid=$!
background_pids+=("$client_pid")
wait "$server_pid"
server_pid=''
start_server_on "$port"
wait "$client_pid" || failed "tus-js-client: $(cat "$work/client.log")"
expect_in "$work/client.log" 'paused'
offset=$(sed -n 's/^resumed at //p' "$work/client.log")
((offset > 10000000)) || failed "it went on at $offset"

read -r media task <"$work/made"
curl -fsS "$url/api/v1/media/$media/source" | cmp - "$work/talk.wav" || failed 'the bytes are others'
wait_until 120 'it is transcribed' media_is "$media" completed
curl -fsS "$url/api/v1/media/$media/transcript.txt" -o "$work/talk.txt" || failed 'no transcript'
expect_file "$work/talk.txt"
curl -fsS "$url/api/v1/media" -o "$work/list.json" || failed 'no list'
[[ $(json "$work/list.json" 'len(d["items"]), d["items"][0]["title"], d["items"][0]["task_id"]') == "(1, 'Sent in pieces', '$task')" ]] ||
    failed "the list is $(cat "$work/list.json")"

tus=(-sS -H 'Tus-Resumable: 1.0.0')
upload=$(curl "${tus[@]}" -X POST -H 'Upload-Length: 6' -D - -o "$output" "$url/api/v1/uploads" | sed -n 's/^Location: \(.*\)\r/\1/p')
status=$(curl "${tus[@]}" -X PATCH -H 'Upload-Offset: 0' -H 'Content-Type: application/offset+octet-stream' \
    -H 'Upload-Checksum: sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=' --data-binary abc -o "$output" -w '%{http_code}' "$url$upload")
[[ $status == 460 ]] || failed "a wrong checksum is answered $status"
curl "${tus[@]}" -I "$url$upload" -o "$work/head"
expect_in "$work/head" 'Upload-Offset: 0'
