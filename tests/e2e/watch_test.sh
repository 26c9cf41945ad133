#!/usr/bin/env bash
# A watched folder: what comes in is transcribed once, also over kill -9, and its subtitles are put beside it.
source "$(dirname "$0")/lib.sh" "$@"

mkdir "$work/in"
export WATCH_FOLDERS=$work/in WATCH_SETTLE_SECONDS=1 WATCH_OUTPUT=srt,txt
cp "$samples/short.wav" "$work/in/before.wav"
ln -s "$samples/short.wav" "$work/in/link.wav"
start_server
wait_until 120 'subtitles of what was there' test -s "$work/in/before.srt"
wait_until 10 'its text' test -s "$work/in/before.txt"

# One that is written slowly, and a server that is killed meanwhile.
stop_server
WATCH_SETTLE_SECONDS=600 start_server
head -c 20000 "$samples/short.wav" >"$work/in/slow.wav"
kill -KILL "$server_pid"
wait "$server_pid" 2>/dev/null
tail -c +20001 "$samples/short.wav" >>"$work/in/slow.wav"
start_server
wait_until 120 'subtitles of the slow one' test -s "$work/in/slow.srt"
cmp "$work/in/before.srt" "$work/in/slow.srt" || failed 'the slow one was taken before it was whole'

# Again after a restart: nothing is taken twice, and what somebody wrote beside a file stays.
echo mine >"$work/in/mine.srt"
cp "$samples/short.wav" "$work/in/mine.wav"
wait_until 120 'the text of the third' test -s "$work/in/mine.txt"
[[ $(cat "$work/in/mine.srt") == mine ]] || failed 'a file that was there was replaced'
stop_server
expect_code 0 'SIGTERM'
start_server
cp "$samples/short.wav" "$work/in/last.wav"
wait_until 120 'the last' test -s "$work/in/last.srt"
[[ $(sql "SELECT group_concat(filename, ' ') FROM (SELECT filename FROM media ORDER BY filename)") == 'before.wav last.wav mine.wav slow.wav' ]] ||
    failed "taken: $(sql 'SELECT filename FROM media')"
stop_server

export WATCH_FOLDERS=$work/in:$work/nowhere
run serve --listen 127.0.0.1:0 --data "$data"
expect_code 1 'a folder that is not there'
expect_in "$errors" 'nowhere'
