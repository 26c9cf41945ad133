#!/usr/bin/env bash
# The queue is paused and resumed by command, with a server and without one; the pause outlives both.
source "$(dirname "$0")/lib.sh"

start_server
run pause --data "$data"
expect_code 0 'pause with a server'
expect_in "$output" 'durascribe resume'
curl -fsS -F "file=@$samples/short.wav" "$url/api/v1/media" -o "$work/upload.json" || failed 'an upload'
media=$(json "$work/upload.json" 'd["id"]')
stop_server
start_server
media_is "$media" pending || failed 'the pause did not outlive the server'
expect_in "$work/status.json" 'the queue is paused'
[[ $(json "$work/status.json" 'd["queue_position"]') == 1 ]] || failed 'no place in the queue'
run resume --data "$data"
expect_code 0 'resume with a server'
wait_until 60 'it is transcribed' media_is "$media" completed

stop_server
run pause --data "$data"
expect_code 0 'pause without a server'
[[ $(sql 'SELECT paused_at IS NOT NULL FROM queue_state') == 1 ]] || failed 'not paused'
# A command without a server is held by the pause, says what to do, and that works.
"$bin/durascribe" transcribe --data "$data" --format txt --output "$work/out" "$samples/short.wav" --force >"$output" 2>"$errors" &
pid=$!
background_pids+=("$pid")
wait_until 60 'it says that the queue is paused' grep -qF 'run it again with --resume' "$errors"
kill -INT "$pid"
code=0
wait "$pid" || code=$?
expect_code 130 'interrupted'
run transcribe --resume --data "$data" --format txt --output "$work/out" "$samples/short.wav"
expect_code 0 'the same with --resume'
expect_file "$work/out/short.txt"
[[ $(sql 'SELECT paused_at IS NULL FROM queue_state') == 1 ]] || failed 'still paused'

run pause --data "$data"
run resume --data "$data"
expect_code 0 'resume without a server'
[[ $(sql 'SELECT paused_at IS NOT NULL FROM queue_state') == 0 ]] || failed 'not resumed'
