#!/usr/bin/env bash
# A speech worker is killed with -9, another hangs, in the middle of a chunk: the chunk is done again
# by another worker, what happened is on record, and the transcript is that of an undisturbed run.
source "$(dirname "$0")/lib.sh" "$@"

long_recording "$work/talk.wav" 90
run transcribe --data "$work/undisturbed" --format txt --output "$work/expected" "$work/talk.wav"
expect_code 0 'the undisturbed run'

export TRANSCRIPTION_STALL_TIMEOUT=3 RETRY_BACKOFF_SECONDS=1
start_server

# disturbed <signal> <class on record> <what is meant>
disturbed() {
    curl -fsS -F "file=@$work/talk.wav" "$url/api/v1/media" -o "$work/created.json" || failed 'the upload'
    id=$(json "$work/created.json" 'd["id"]')
    task=$(json "$work/created.json" 'd["task_id"]')
    wait_until 60 'a worker is at work' stop_at_work speech
    kill "-$1" "$worker"
    wait_until 300 "the task completes after $3" media_is "$id" completed
    [[ ! -d /proc/$worker ]] || failed "the worker that $3 is still there"
    curl -fsS "$url/api/v1/media/$id/transcript.txt" -o "$work/talk.txt" || failed 'the transcript'
    cmp "$work/expected/talk.txt" "$work/talk.txt" || failed "the text differs after $3"
    local classes
    classes=$(sql "SELECT group_concat(error_class) FROM attempts WHERE task_id='$task' AND outcome='failed'")
    [[ $classes == "$2" ]] || failed "on record after $3: \"$classes\" instead of \"$2\""
    sql "SELECT error_message FROM attempts WHERE task_id='$task' AND outcome='failed'"
}

disturbed KILL crash 'was killed'
disturbed STOP stall 'hung'
stop_server
expect_code 0 'SIGTERM'
