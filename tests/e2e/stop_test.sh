#!/usr/bin/env bash
# A stop finishes what it has begun: a slow reader gets the whole of a big download and a slow sender's upload is
# taken, while an idle connection is closed at once and nobody new is let in. A second SIGTERM changes nothing.
source "$(dirname "$0")/lib.sh" "$@"

# More than the sockets of both sides hold, so that the server itself has to go on sending.
head -c 24000000 /dev/urandom >"$work/big.bin"
head -c 4000000 /dev/urandom >"$work/other.bin"
# A reader and a sender that are in the middle, and an idle one; the first two go on when there is a file `go`.
cat >"$work/clients.py" <<'PY'
import http.client, os, sys, threading, time
port, media, work = int(sys.argv[1]), sys.argv[2], sys.argv[3]

def wait_for_go():
    while not os.path.exists(f"{work}/go"):
        time.sleep(0.01)  # between two looks

def connection():
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)

def read():
    reader = connection()
    reader.request("GET", f"/api/v1/media/{media}/source")
    answer = reader.getresponse()
    begin = answer.read(100_000)
    print("reads", flush=True)
    wait_for_go()
    with open(f"{work}/got.bin", "wb") as got:
        got.write(begin + answer.read())

def send():
    body = open(f"{work}/other.bin", "rb").read()
    sender = connection()
    sender.putrequest("POST", "/api/v1/media?filename=other.wav")
    sender.putheader("Content-Type", "audio/wav")
    sender.putheader("Content-Length", str(len(body)))
    sender.endheaders(body[:len(body) // 2])
    print("sends", flush=True)
    wait_for_go()
    sender.send(body[len(body) // 2:])
    answer = sender.getresponse()
    print("answered", answer.status, flush=True)
    open(f"{work}/taken.json", "wb").write(answer.read())

threads = [threading.Thread(target=work_of) for work_of in (read, send)]
for thread in threads:
    thread.start()
idle = connection()
idle.request("GET", "/health/live")
idle.getresponse().read()
print("idle", flush=True)
print("closed" if idle.sock.recv(1) == b"" else "more", flush=True)
for thread in threads:
    thread.join()
PY
start_server
curl -fsS --data-binary "@$work/big.bin" -H 'Content-Type: audio/wav' "$url/api/v1/media?filename=big.wav" -o "$work/created.json" ||
    failed 'the upload'
id=$(json "$work/created.json" 'd["id"]')
wait_until 60 'it is found to be no audio' media_is "$id" failed

python3 "$work/clients.py" "${url##*:}" "$id" "$work" >"$work/clients.out" 2>"$errors" &
clients=$!
background_pids+=("$clients")
for begun in reads sends idle; do
    wait_until 20 "a client $begun" grep -q "$begun" "$work/clients.out"
done
begin=$(milliseconds)
kill -TERM "$server_pid"
wait_until 2 'the idle connection is closed at once' grep -q closed "$work/clients.out"
curl -sS "$url/health/live" -o "$work/new.json" 2>"$work/new.err" && failed 'a new connection was taken'
kill -TERM "$server_pid"
# Later than what is made over time is waited for, and long before the grace is over.
later() { (($(milliseconds) - begin > 3000)); }
wait_until 10 'three seconds' later
touch "$work/go"
wait "$clients" || failed 'a client was cut off'
begin=$(milliseconds)
expect_in "$work/clients.out" 'answered 201'
cmp "$work/got.bin" "$work/big.bin" || failed 'the download differs'
wait "$server_pid"
code=$?
server_pid=''
took=$(($(milliseconds) - begin))
expect_code 0 'stopped twice'
((took < 6000)) || failed "the server took $took ms to stop after its last client"
expect_in "$work/server.log" 'Stopped.'

start_server
curl -fsS "$url/api/v1/media/$(json "$work/taken.json" 'd["id"]')/source" -o "$work/kept.bin" || failed 'what came during the stop'
cmp "$work/kept.bin" "$work/other.bin" || failed 'what came during the stop differs'
stop_server
expect_code 0 'SIGTERM with nothing to do'
