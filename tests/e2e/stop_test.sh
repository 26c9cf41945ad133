#!/usr/bin/env bash
# A stop finishes what it has begun to answer: a slow reader gets the whole of a big download and a slow sender's upload
# is taken, while an idle connection is closed at once and nobody new is let in. A second SIGTERM changes nothing.
source "$(dirname "$0")/lib.sh" "$@"

# More than the sockets of both sides hold, so that the server itself has to go on sending.
head -c 24000000 /dev/urandom >"$work/big.bin"
head -c 4000000 /dev/urandom >"$work/other.bin"
cat >"$work/idle.py" <<'PY'
import http.client, sys, time
idle = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
idle.request("GET", "/health/live")
idle.getresponse().read()
print("idle", flush=True)
demanded = idle.sock.recv(1)  # the end: the server closes it
print("closed" if demanded == b"" else demanded, flush=True)
PY
start_server
curl -fsS --data-binary "@$work/big.bin" -H 'Content-Type: audio/wav' "$url/api/v1/media?filename=big.wav" -o "$work/created.json" ||
    failed 'the upload'
id=$(json "$work/created.json" 'd["id"]')
wait_until 60 'it is found to be no audio' media_is "$id" failed

curl -fsS --limit-rate 6M "$url/api/v1/media/$id/source" -o "$work/got.bin" 2>"$work/reader.err" &
reader=$!
curl -sS --limit-rate 1400k --data-binary "@$work/other.bin" -H 'Content-Type: audio/wav' "$url/api/v1/media?filename=other.wav" \
    -o "$work/taken.json" -w '%{http_code}' >"$work/taken.code" 2>"$work/sender.err" &
sender=$!
python3 "$work/idle.py" "${url##*:}" >"$work/idle.out" 2>"$work/idle.err" &
idle=$!
background_pids+=("$reader" "$sender" "$idle")
wait_until 10 'an idle connection' grep -q idle "$work/idle.out"
wait_until 10 'the download has begun' test -s "$work/got.bin"
partial() { find "$data/blobs" -type f -size -4000k -size +0 ! -name '*.db*' | grep -q .; }
wait_until 10 'the upload has begun' partial

begin=$(milliseconds)
kill -TERM "$server_pid"
wait "$idle"
took=$(($(milliseconds) - begin))
expect_in "$work/idle.out" closed
((took < 2000)) || failed "an idle connection was closed after $took ms"
curl -sS "$url/health/live" -o "$work/new.json" 2>"$work/new.err" && failed 'a new connection was taken'
kill -TERM "$server_pid"
wait "$reader" || failed "the download broke off: $(cat "$work/reader.err"), $(stat -c %s "$work/got.bin") bytes"
took_reader=$(($(milliseconds) - begin))
((took_reader > 2500)) || failed "the download was over after $took_reader ms: it tested nothing"
cmp "$work/got.bin" "$work/big.bin" || failed 'the download differs'
wait "$sender" || failed "the upload broke off: $(cat "$work/sender.err")"
[[ $(cat "$work/taken.code") == 201 ]] || failed "the upload is answered $(cat "$work/taken.code"): $(cat "$work/taken.json")"
wait "$server_pid"
code=$?
server_pid=''
took=$(($(milliseconds) - begin))
expect_code 0 'stopped twice'
((took < 10000)) || failed "the server took $took ms to stop"
expect_in "$work/server.log" 'Stopped.'

start_server
curl -fsS "$url/api/v1/media/$(json "$work/taken.json" 'd["id"]')/source" -o "$work/kept.bin" || failed 'what came during the stop'
cmp "$work/kept.bin" "$work/other.bin" || failed 'what came during the stop differs'
stop_server
expect_code 0 'SIGTERM with nothing to do'
