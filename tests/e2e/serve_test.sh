#!/usr/bin/env bash
# serve: ready at once, takes an upload, and the commands speak to it.
source "$(dirname "$0")/lib.sh" "$@"

start_anew() {
    [[ -z $server_pid ]] || stop_server
    start_server
}
within 1000 'a start of the server' start_anew
expect_file "$data/server.json"

curl -fsS -F "file=@$samples/short.wav" "$url/api/v1/media" -o "$work/created.json" || failed 'the upload'
id=$(json "$work/created.json" 'd["id"]')
wait_until 60 'the upload is transcribed' media_is "$id" completed
curl -fsS "$url/api/v1/media/$id/transcript.srt" -o "$work/short.srt" || failed 'the transcript'
expect_in "$work/short.srt" ' --> '

# Commands on its data directory speak to it.
cp "$samples/short.wav" "$work/short.wav"
run transcribe --data "$data" --format srt --output "$work/out" "$work/short.wav"
expect_code 0 'transcribe over the server'
expect_in "$errors" 'transcribed before'
cmp "$work/short.srt" "$work/out/short.srt" || failed 'the command line and the server disagree'
cp "$samples/talk.ogg" "$work/talk.ogg"
run transcribe --data "$data" "$work/talk.ogg"
expect_code 0 'a new file over the server'
expect_file "$work/talk.srt"
run tasks --data "$data"
expect_code 0 'tasks over the server'
expect_in "$output" 'talk'
run doctor --data "$data"
expect_in "$output" 'in use by the server'

long_recording "$work/long.wav" 760
curl -fsS -F "file=@$work/long.wav" "$url/api/v1/media" -o "$work/created.json" || failed 'the second upload'
id=$(json "$work/created.json" 'd["id"]')
task=$(json "$work/created.json" 'd["task_id"]')
wait_until 30 'the second upload is processed' media_is "$id" processing
run cancel --data "$data" "$task"
expect_code 0 'cancel'
wait_until 10 'it is cancelled' media_is "$id" cancelled
run cancel --data "$data" "$task"
expect_code 1 'cancel what has ended'
run retry --data "$data" "$task"
expect_code 0 'retry'
wait_until 10 'it is processed again' media_is "$id" processing

stop_while_it_works() {
    if [[ -z $server_pid ]]; then
        start_server
        wait_until 30 'it is processed again' media_is "$id" processing
    fi
    stop_server
    expect_code 0 'SIGTERM while it works'
}
within 12000 'a stop of the server' stop_while_it_works
expect_no_file "$data/server.json"
run tasks --data "$data"
expect_code 0 'tasks without a server'
expect_in "$output" 'pending'
