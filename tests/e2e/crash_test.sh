#!/usr/bin/env bash
# The server is killed with -9 in the middle of a file: the next one goes on by itself, gives what an
# undisturbed run gives, and recognises no committed chunk again.
source "$(dirname "$0")/lib.sh" "$@"

# One chunk after the other: two that end together would leave nothing to kill. (By the number of slots goes where a
# recording is cut, too.)
export MAX_CONCURRENT_TRANSCRIPTIONS=1
long_recording "$work/long.wav" 90
run transcribe --data "$work/undisturbed" --format txt,json --output "$work/expected" "$work/long.wav"
expect_code 0 'the undisturbed run'

start_server
curl -fsS -F "file=@$work/long.wav" "$url/api/v1/media" -o "$work/created.json" || failed 'the upload'
id=$(json "$work/created.json" 'd["id"]')
some_chunks_done() { [[ $(sql "SELECT count(*) FROM units WHERE step=2 AND state='completed'") -ge 1 ]]; }
# The next one stands still: it does not end before the kill.
first_done_next_held() { some_chunks_done && stop_at_work speech; }
wait_until 120 'a chunk is recognised, and the next one has begun' first_done_next_held
workers=$(pgrep -P "$server_pid" | tr '\n' ' ')
kill -KILL "$server_pid"
wait "$server_pid" 2>/dev/null
server_pid=''
none_left() { local pid; for pid in $workers; do [[ ! -d /proc/$pid ]] || return 1; done; }
wait_until 5 'the workers die with their server' none_left
media_was_open=$(sql "SELECT count(*) FROM tasks WHERE state IN ('pending','processing','retrying')")
[[ $media_was_open == 1 ]] || failed 'the task had ended before the kill'

start_server
wait_until 300 'the task completes by itself' media_is "$id" completed
curl -fsS "$url/api/v1/media/$id/transcript.txt" -o "$work/long.txt" || failed 'the transcript'
cmp "$work/expected/long.txt" "$work/long.txt" || failed 'the text differs from that of an undisturbed run'
again=$(sql "SELECT count(*) FROM (SELECT unit_id FROM attempts WHERE outcome='completed' GROUP BY unit_id HAVING count(*) > 1)")
[[ $again == 0 ]] || failed "$again finished units were done again"
stop_server
expect_code 0 'SIGTERM'
