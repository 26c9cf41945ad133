#!/usr/bin/env bash
# Files that nothing names go after a start, also those that are many; a media whose file is gone
# says so, fails with the remedy, and works again when the same file is uploaded again.
source "$(dirname "$0")/lib.sh"

reconciled() {
    curl -fsS "$url/health/ready" -o "$work/ready.json" &&
        [[ $(json "$work/ready.json" 'd["housekeeping"]["reconciled_at"] is not None') == True ]]
}
upload() { curl -fsS -F "file=@$1" "$url/api/v1/media" -o "$work/upload.json" || failed "upload of $1"; }

start_server
upload "$samples/short.wav"
media=$(json "$work/upload.json" 'd["id"]')
sha256=$(json "$work/upload.json" 'd["sha256"]')
wait_until 60 'it is transcribed' media_is "$media" completed
kill -KILL "$server_pid"
wait "$server_pid" 2>/dev/null
blobs=$data/blobs
python3 - "$blobs" <<'PY'
import hashlib, os, sys
for i in range(5000):
    name = hashlib.sha256(b"orphan %d" % i).hexdigest()
    os.makedirs(f"{sys.argv[1]}/{name[:2]}", exist_ok=True)
    open(f"{sys.argv[1]}/{name[:2]}/{name[2:]}", "w").close()
PY
echo half >"$blobs/tmp/left-by-a-kill"

start_server
wait_until 60 'the files are reconciled' reconciled
left=$(find "$blobs" -type f | wc -l)
[[ $left == 1 ]] || failed "$left files instead of the one that is named"
expect_file "$blobs/${sha256:0:2}/${sha256:2}"
[[ $(json "$work/ready.json" 'd["housekeeping"]["sources_missing"]') == 0 ]] || failed 'a file that is there is missed'

stop_server
rm "$blobs/${sha256:0:2}/${sha256:2}"
start_server
wait_until 60 'the files are reconciled' reconciled
[[ $(json "$work/ready.json" 'd["housekeeping"]["sources_missing"]') == 1 ]] || failed 'the lost file is not counted'
expect_in "$work/server.log" 'upload it again, or restore a backup'
curl -fsS "$url/api/v1/media" -o "$work/list.json"
[[ $(json "$work/list.json" 'd["items"][0]["source_available"]') == False ]] || failed 'the list does not tell'
[[ $(curl -sS -o "$work/source.json" -w '%{http_code}' "$url/api/v1/media/$media/source") == 410 ]] || failed 'the source is not gone'
curl -fsS "$url/api/v1/media/$media/transcript.txt" -o "$work/text" || failed 'the transcript went with the file'
curl -fsS -X POST "$url/api/v1/media/$media/reprocess" -o "$work/task.json"
wait_until 10 'it fails at once' media_is "$media" failed
[[ $(json "$work/status.json" 'd["error"]["code"]') == source_missing ]] || failed 'another reason than the lost file'
expect_in "$work/status.json" 'Upload it again'
upload "$samples/short.wav"
curl -fsS "$url/api/v1/media/$media" -o "$work/media.json"
[[ $(json "$work/media.json" 'd["source_available"]') == True ]] || failed 'the same bytes do not bring it back'
curl -fsS -X POST "$url/api/v1/tasks/$(json "$work/task.json" 'd["task_id"]')/retry" -o "$work/retry.json" || failed 'the retry'
wait_until 60 'the retry works' media_is "$media" completed
stop_server
expect_code 0 'the end of the server'
