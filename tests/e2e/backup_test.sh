#!/usr/bin/env bash
# A backup while the server works, put back elsewhere: what was acknowledged before is there, and
# what had not ended goes on there by itself.
source "$(dirname "$0")/lib.sh"

upload() { curl -fsS -F "file=@$1" "$url/api/v1/media" -o "$work/upload.json" || failed "upload of $1"; }

start_server
upload "$samples/short.wav"
finished=$(json "$work/upload.json" 'd["id"]')
wait_until 60 'the first is transcribed' media_is "$finished" completed
curl -fsS "$url/api/v1/media/$finished/transcript.txt" -o "$work/text.before"
upload "$samples/talk.ogg"
unfinished=$(json "$work/upload.json" 'd["id"]')
wait_until 60 'the second is at work' stop_at_work speech
media_is "$unfinished" processing || failed 'it is not being processed'

run backup "$work/copy" --data "$data"
expect_code 0 'a backup while the server works'
expect_in "$output" '2 media'
expect_file "$work/copy/manifest.json"
run backup "$work/copy" --data "$data"
expect_code 1 'a backup over another'
expect_in "$errors" 'is there already'
run restore "$work/copy" --data "$data"
expect_code 1 'a restore under a server'
expect_in "$errors" 'in use'

kill -KILL "$server_pid"
wait "$server_pid" 2>/dev/null
rm -rf "$data"
data=$work/elsewhere
run restore "$work/nothing" --data "$data"
expect_code 1 'a restore of nothing'
expect_in "$errors" 'not a whole backup'
run restore "$work/copy" --data "$data"
expect_code 0 'a restore'
start_server
curl -fsS "$url/api/v1/media/$finished/transcript.txt" -o "$work/text.after"
cmp "$work/text.before" "$work/text.after" || failed 'another transcript after the restore'
curl -fsS "$url/api/v1/media/$finished/source" -o "$work/source"
cmp "$work/source" "$samples/short.wav" || failed 'other bytes after the restore'
wait_until 120 'what had not ended goes on' media_is "$unfinished" completed
stop_server
expect_code 0 'the end of the server'
