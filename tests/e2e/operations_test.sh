#!/usr/bin/env bash
# operations: metrics of real work, JSON lines, request ids, a disk that becomes read-only, a paused queue.
source "$(dirname "$0")/lib.sh" "$@"

metric() { curl -fsS "$url/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }
metric_is() { [[ $(metric "$1") == "$2" ]]; }

export LOG_FORMAT=json SLOW_REQUEST_SECONDS=0.001
start_server
# With so much behind it, which no decoder reads, that the server is at work on the request for a millisecond.
{ cat "$samples/short.wav"; head -c 20000000 /dev/zero; } >"$work/padded.wav"
curl -fsS -H 'X-Request-Id: upload-1' -F "file=@$work/padded.wav" "$url/api/v1/media" -D "$work/head" -o "$work/created.json" || failed 'an upload'
grep -qi '^x-request-id: upload-1' "$work/head" || failed 'the request id is not in the answer'
id=$(json "$work/created.json" 'd["id"]')
task=$(json "$work/created.json" 'd["task_id"]')
wait_until 200 'it is transcribed' media_is "$id" completed
wait_until 10 'the task is counted' metric_is 'transcriptions_total{status="completed"}' 1
wait_until 10 'a duration' metric_is transcription_duration_seconds_count 1
wait_until 10 'a time to start' metric_is durascribe_time_to_start_seconds_count 1
metric_is transcription_queue_size 0 || failed 'nothing waits'
metric_is durascribe_stuck_tasks 0 || failed 'nothing is stuck'
metric_is 'durascribe_worker_restarts_total{lane="speech"}' 0 || failed 'no worker was replaced'
[[ $(metric 'durascribe_real_time_factor_count{engine="pocketsphinx",model="en-us"}') -ge 1 ]] || failed 'no real-time factor'
[[ $(metric durascribe_store_commit_seconds_count) -ge 5 ]] || failed 'commits'
[[ $(metric 'durascribe_http_requests_total{method="POST",route="/api/v1/media",status="201"}') == 1 ]] || failed 'requests'
[[ $(metric durascribe_http_received_bytes_total) -gt $(stat -c %s "$samples/short.wav") ]] || failed 'bytes in'

code=$(curl -s -o "$work/problem.json" -w '%{http_code}' -H 'X-Request-Id: lost-1' "$url/api/v1/media/none")
[[ $code == 404 && $(json "$work/problem.json" 'd["request_id"]') == lost-1 ]] || failed 'the request id is not in the problem'

# Paused: who transcribes is told what to do.
run pause --data "$data"
"$bin/durascribe" transcribe --data "$data" --output "$work/out" "$samples/talk.ogg" >"$output" 2>"$errors" &
waiting=$!
background_pids+=("$waiting")
wait_until 20 'it says that the queue is paused' grep -qF 'The queue is paused. Resume with: durascribe resume' "$errors"
[[ $(metric transcription_queue_size) == 1 && $(metric durascribe_queue_paused) == 1 ]] || failed 'it waits'
run resume --data "$data"
wait "$waiting" || failed 'transcribe after the resume'
stop_server
python3 - "$work/server.log" "$task" <<'PY' || failed 'the log is not what it should be'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
task = [line for line in lines if line.get("task_id") == sys.argv[2]]
assert any(line.get("event") == "task.state" for line in task), "no event with its task"
slow = [line for line in lines if line["message"].startswith("slow request")]
assert any(line["request_id"] == "upload-1" and line["route"] == "/api/v1/media" for line in slow), "no slow request"
assert all({"time", "level", "message"} <= line.keys() for line in lines)
PY
unset LOG_FORMAT SLOW_REQUEST_SECONDS

# A disk that the system has made read-only.
start_server
ready_is() { curl -s "$url/health/ready" -o "$work/ready.json"; [[ $(json "$work/ready.json" 'd["status"]') == "$1" ]]; }
wait_until 10 'it is ready' ready_is ready
blobs=$data/blobs
if ! mount --bind "$blobs" "$blobs" 2>/dev/null; then
    echo 'The rest needs root: a folder is made read-only by a mount.'
    exit 0
fi
clean_up_mount() {
    umount -l "$blobs"
    clean_up
}
trap clean_up_mount EXIT
mount -o remount,ro,bind "$blobs" || failed 'the folder could not be made read-only'
wait_until 15 'it says that it can take nothing' ready_is store_unavailable
[[ $(curl -s -o /dev/null -w '%{http_code}' "$url/health/ready") == 503 ]] || failed 'not a 503'
mount -o remount,rw,bind "$blobs"
wait_until 15 'it is ready again' ready_is ready
stop_server
