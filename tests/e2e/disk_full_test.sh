#!/usr/bin/env bash
# The disk fills up: an upload is refused with 507, the server stays as it was, work that is under
# way waits; when there is room again everything goes on by itself.
source "$(dirname "$0")/lib.sh" "$@"

mkdir "$work/disk"
if ! mount -t tmpfs -o size=160m tmpfs "$work/disk" 2>/dev/null; then
    echo 'skipped: a small file system of its own can be mounted by root only'
    exit 77
fi
trap 'clean_up_disk' EXIT
clean_up_disk() {
    local pid
    for pid in $server_pid; do kill -KILL "$pid" 2>/dev/null; done
    wait 2>/dev/null
    umount -l "$work/disk"
    clean_up
}
data=$work/disk/data
filler=$work/disk/filler
upload() { curl -sS -o "$work/answer.json" -w '%{http_code}' -F "file=@$1" "$url/api/v1/media"; }

run transcribe --data "$work/undisturbed" --format txt --output "$work/expected" "$samples/talk.ogg"
expect_code 0 'the undisturbed run'
start_server

# Too full to take anything in: a twentieth of the disk is left to the database.
dd if=/dev/zero of="$filler" bs=1M count=155 status=none
status=$(upload "$samples/talk.ogg")
[[ $status == 507 ]] || failed "an upload to a full disk was answered $status: $(cat "$work/answer.json")"
expect_in "$work/answer.json" disk_full
curl -fsS "$url/health/live" >/dev/null || failed 'the server does not live'
rm "$filler"
status=$(upload "$samples/short.wav")
[[ $status == 201 ]] || failed "with room again the upload was answered $status"

# An upload in pieces keeps what has come, and goes on where it was. Chunked, so that its length can't
# be held against the room before it comes.
head -c 40000000 /dev/urandom >"$work/pieces"
piece() {
    tail -c "+$(($1 + 1))" "$work/pieces" | curl -sS -X PATCH -T - -H 'Tus-Resumable: 1.0.0' -H "Upload-Offset: $1" -H 'Expect:' \
        -H 'Content-Type: application/offset+octet-stream' -D "$work/piece.head" -o "$work/answer.json" -w '%{http_code}' "$url$2"
}
field() { sed -n "s/^$1: \(.*\)\r/\1/p" "$work/piece.head"; }
curl -sS -X POST -H 'Tus-Resumable: 1.0.0' -H 'Upload-Length: 40000000' -D "$work/piece.head" "$url/api/v1/uploads" || failed 'no upload'
address=$(field Location)
dd if=/dev/zero of="$filler" bs=1M count=$(($(df --output=avail -m "$work/disk" | tail -n 1) - 28)) status=none
status=$(piece 0 "$address")
[[ $status == 507 ]] || failed "a piece that the disk does not take was answered $status: $(cat "$work/answer.json")"
rm "$filler"
curl -sS -I -H 'Tus-Resumable: 1.0.0' "$url$address" -o "$work/piece.head"
offset=$(field Upload-Offset)
((offset > 10000000 && offset < 30000000)) || failed "it went on at $offset"
status=$(piece "$offset" "$address")
[[ $status == 204 ]] || failed "with room again the piece was answered $status: $(cat "$work/answer.json")"
media=$(field X-Durascribe-Media-Id)
curl -fsS "$url/api/v1/media/$media/source" | cmp - "$work/pieces" || failed 'the bytes are others'
wait_until 60 'it is no recording' media_is "$media" failed
curl -fsS -X DELETE "$url/api/v1/media/$media" || failed 'the deletion'

# Full to the last byte while chunks are recognised.
status=$(upload "$samples/talk.ogg")
[[ $status == 201 ]] || failed "the upload was answered $status"
id=$(json "$work/answer.json" 'd["id"]')
: >"$work/server.log" # whether the disk is full is said anew
wait_until 60 'a chunk is being recognised' stop_at_work speech
dd if=/dev/zero of="$filler" bs=64k status=none 2>/dev/null
dd if=/dev/zero of="$filler.end" bs=1 count=4096 status=none 2>/dev/null
kill -CONT "$worker"
waits_for_room() { grep -q 'disk is full' "$work/server.log"; }
wait_until 90 'work waits for room' waits_for_room
curl -fsS "$url/health/live" >/dev/null || failed 'the server does not live on a full disk'
rm "$filler" "$filler.end"
begin=$(milliseconds)
wait_until 120 'the task completes by itself' media_is "$id" completed
echo "completed $(($(milliseconds) - begin)) ms after there was room"
curl -fsS "$url/api/v1/media/$id/transcript.txt" -o "$work/talk.txt" || failed 'the transcript'
cmp "$work/expected/talk.txt" "$work/talk.txt" || failed 'the text differs from that of an undisturbed run'
stop_server
expect_code 0 'SIGTERM'
