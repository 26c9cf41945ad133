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
run resume --data "$data"
expect_code 0 'resume without a server'
[[ $(sql 'SELECT paused_at IS NOT NULL FROM queue_state') == 0 ]] || failed 'not resumed'
