#!/usr/bin/env bash
# Webhooks to a receiver of this test: signed as docs/webhooks.md says, over kill -9 of the server, with names that this
# test's own DNS answers.
source "$(dirname "$0")/lib.sh" "$@"
docs=$(cd "$(dirname "$0")/../.." && pwd)/docs/webhooks.md

# The receiver: refuses while the file `refuse` is there, checks each signature with the code of the documentation, and
# writes a line for each message that it has taken.
cat >"$work/receiver.py" <<'PY'
import http.server, json, os, re, sys, threading
work, docs = sys.argv[1], sys.argv[2]
exec(re.search(r"```python\n(.*?)```", open(docs).read(), re.S).group(1))
lock = threading.Lock()

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        secret = open(f"{work}/secret").read().strip()
        status = 401 if not verified(secret, self.headers, body) else 503 if os.path.exists(f"{work}/refuse") else 200
        with lock, open(f"{work}/received", "a") as f:
            f.write(json.dumps([status, self.headers["webhook-id"], self.path, json.loads(body)]) + "\n")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
PY
# The DNS: hook.example is this machine, trap.example is a public address beside a private one, moved.example is this
# machine when it is first asked for and 127.0.0.2 later.
cat >"$work/dns.py" <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
asked = 0
while True:
    packet, peer = s.recvfrom(512)
    at, labels = 12, []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
        at += 1 + packet[at]
    name, v4 = ".".join(labels), packet[at + 2] == 1
    found = {"hook.example": ["127.0.0.1"], "trap.example": ["192.0.2.1", "127.0.0.1"], "moved.example": ["127.0.0.1"]}.get(name, [])
    if name == "moved.example" and v4:
        asked += 1
        found = ["127.0.0.1" if asked == 1 else "127.0.0.2"]
    found = found if v4 else []
    answer = packet[:2] + b"\x81\x80\0\1" + len(found).to_bytes(2, "big") + b"\0\0\0\0" + packet[12:at + 5]
    for address in found:
        answer += b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(address)
    s.sendto(answer, peer)
PY
: >"$work/received"
python3 "$work/receiver.py" "$work" "$docs" >"$work/receiver.port" 2>"$work/receiver.err" & background_pids+=($!)
python3 "$work/dns.py" >"$work/dns.port" & background_pids+=($!)
wait_until 10 'the receiver' test -s "$work/receiver.port"
wait_until 10 'the DNS' test -s "$work/dns.port"
port=$(cat "$work/receiver.port")
export ALLOW_PRIVATE_ADDRESSES=127.0.0.1 DNS_SERVERS=127.0.0.1:$(cat "$work/dns.port")

post() { curl -fsS -X POST -H 'Content-Type: application/json' "$url/api/v1/webhooks$1" -d "${2:-}" -o "$work/answer.json" || failed "POST $1"; }
received() { python3 - "$work/received" "$1" <<'PY'
import json, sys
d = [json.loads(l) for l in open(sys.argv[1])]
print(eval(sys.argv[2]))
PY
}
received_is() { [[ $(received "$1") == True ]]; }

start_server
post '' "{\"url\": \"http://hook.example:$port/named\", \"types\": [\"task.*\"]}"
hook=$(json "$work/answer.json" 'd["id"]')
json "$work/answer.json" 'd["secret"]' >"$work/secret"
post "/$hook/ping"
wait_until 20 'a ping' received_is '[m[:1] + m[2:3] + [m[3]["type"]] for m in d] == [[200, "/named", "webhook.ping"]]'

# The receiver refuses; the server is killed with deliveries waiting, and again with them on their way.
touch "$work/refuse"
curl -fsS -F "file=@$samples/short.wav" "$url/api/v1/media" -o "$work/created.json" || failed 'the upload'
task=$(json "$work/created.json" 'd["task_id"]')
wait_until 120 'it is transcribed' media_is "$(json "$work/created.json" 'd["id"]')" completed
wait_until 20 'a refusal' received_is 'any(m[0] == 503 for m in d)'
for ((i = 0; i < 3; ++i)); do
    kill -KILL "$server_pid"
    wait "$server_pid" 2>/dev/null
    [[ $i == 1 ]] && rm "$work/refuse"
    start_server
    post "/$hook/resume"
done
all_taken="[m for m in d if m[0] == 200 and m[3]['data'].get('state') == 'completed' and m[3]['data'].get('task_id') == '$task'] != []"
wait_until 120 'the end of the task is told' received_is "$all_taken"
nothing_waits() { curl -fsS "$url/api/v1/webhooks/$hook" -o "$work/hook.json" && [[ $(json "$work/hook.json" 'd["waiting"]') == 0 ]]; }
wait_until 20 'nothing waits' nothing_waits
# Every event of the task was taken, in its order; one that came twice has the same id.
sql "SELECT seq FROM events WHERE task_id = '$task' AND type LIKE 'task.%' ORDER BY seq" >"$work/expected"
received "'\\n'.join(str(s) for s in dict.fromkeys(m[3]['data']['seq'] for m in d if m[0] == 200 and 'seq' in m[3]['data']))" >"$work/got"
cmp "$work/expected" "$work/got" || failed "the events taken are not those of the task in their order: $(tr '\n' ' ' <"$work/got")"
[[ $(received 'len({(m[1], m[3]["data"].get("seq")) for m in d}) == len({m[1] for m in d})') == True ]] || failed 'two messages have one id'
[[ $(received 'any(m[0] == 401 for m in d)') == False ]] || failed 'a signature was not accepted by the code of the documentation'

# A replay has the same id; after a rotation the old secret still verifies.
before=$(received 'len(d)')
post "/$hook/rotate_secret"
seq=$(tail -n 1 "$work/expected")
post "/$hook/replay" "{\"after\": $((seq - 1))}"
wait_until 20 'a replay' received_is "len(d) > $before and d[-1][0] == 200 and d[-1][1] in [m[1] for m in d[:$before]]"

# Names that lead elsewhere: nothing connects.
connected=$(received 'len(d)')
for name in trap.example moved.example localhost; do
    post '' "{\"url\": \"http://$name:$port/$name\"}"
    id=$(json "$work/answer.json" 'd["id"]')
    for ((i = 0; i < 2; ++i)); do
        post "/$id/ping"
        ping=$(json "$work/answer.json" 'd["id"]')
        ended() { curl -fsS "$url/api/v1/webhooks/$id/deliveries/$ping" -o "$work/ping.json" && [[ $(json "$work/ping.json" 'd["status"]') != waiting ]]; }
        wait_until 20 'the end of a ping' ended
    done
    [[ $name == localhost ]] || expect_in "$work/ping.json" 'to which durascribe does not connect'
done
[[ $(received "[m[2] for m in d[$connected:]]") == "['/moved.example', '/localhost', '/localhost']" || $(received "[m[2] for m in d[$connected:]]") == "['/moved.example']" ]] ||
    failed "connected to: $(received "[m[2] for m in d[$connected:]]")"
stop_server
expect_code 0 'SIGTERM'
