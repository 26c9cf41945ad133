#!/usr/bin/env bash
# A file is fetched from a server of this test: one that cuts connections, is busy, redirects, and tells files apart by
# ETag. What has come survives kill -9 of the server and of the worker, and is not asked for again.
source "$(dirname "$0")/lib.sh" "$@"

long_recording "$work/long.wav" 40
mkdir "$work/hls"
ffmpeg -nostdin -v error -i "$samples/short.wav" -c:a aac -b:a 96k -f hls -hls_time 2 -hls_playlist_type vod "$work/hls/talk.m3u8" ||
    failed 'a stream was not made'
cat >"$work/files.py" <<'PY'
import http.server, json, os, sys, time
work, samples = sys.argv[1], sys.argv[2]
files = {"/long.wav": f"{work}/long.wav", "/cut.wav": f"{samples}/short.wav", "/slow.wav": f"{work}/long.wav", "/named": f"{samples}/short.wav", "/short.wav": f"{samples}/short.wav"}
cut = 1

class Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global cut
        with open(f"{work}/asked", "a") as f:
            f.write(json.dumps([self.path, self.headers["Range"], self.headers["If-Range"]]) + "\n")
        def say(status, body=b"", **fields):
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        if self.path == "/page":
            return say(200, b"<html>", Content_Type="text/html")
        if self.path == "/video":
            return say(200, b'<html><title>A video</title><video src="/short.wav"></video>', Content_Type="text/html")
        if self.path == "/stream":
            return say(200, b'<html><title>A stream</title><video src="/hls/talk.m3u8"></video>', Content_Type="text/html")
        if self.path.startswith("/hls/"):
            return say(200, open(work + self.path, "rb").read(),
                       Content_Type="application/vnd.apple.mpegurl" if self.path.endswith("m3u8") else "video/mp2t")
        if self.path == "/trap":
            return say(200, b'<html><title>A trap</title><video src="http://169.254.169.254/x.wav"></video>', Content_Type="text/html")
        if self.path == "/busy.wav" and not os.path.exists(f"{work}/idle"):
            open(f"{work}/idle", "w").close()
            return say(503, Retry_After="1")
        if self.path == "/moved.wav":
            return say(302, Location="/named")
        if self.path == "/inside.wav":
            return say(302, Location="http://169.254.169.254/latest/meta-data/")
        path = files.get("/named" if self.path == "/busy.wav" else self.path)
        if path is None:
            return say(404)
        whole = open(path, "rb").read()
        first = int(self.headers["Range"][6:-1]) if self.headers["Range"] and self.headers["If-Range"] == '"v1"' else 0
        self.send_response(206 if first else 200)
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Type", "audio/wav")
        if self.path == "/named":
            self.send_header("Content-Disposition", 'attachment; filename="The talk.wav"')
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(whole) - 1}/{len(whole)}")
        self.send_header("Content-Length", str(len(whole) - first))
        self.end_headers()
        rest = whole[first:]
        if self.path == "/cut.wav" and cut > 0:
            cut -= 1
            self.wfile.write(rest[:len(rest) // 2])
            return self.connection.close()
        if self.path == "/slow.wav":
            # Half of what is left, then nothing until the test lets it go on.
            self.wfile.write(rest[:len(rest) // 2])
            self.wfile.flush()
            while not os.path.exists(f"{work}/go"):
                time.sleep(0.02)
            rest = rest[len(rest) // 2:]
        self.wfile.write(rest)
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
print(server.server_port, flush=True)
server.serve_forever()
PY
: >"$work/asked"
python3 "$work/files.py" "$work" "$samples" >"$work/files.port" 2>"$work/files.err" & background_pids+=($!)
wait_until 10 'the file server' test -s "$work/files.port"
files=http://127.0.0.1:$(cat "$work/files.port")
export RETRY_BACKOFF_SECONDS=1 RETRY_BACKOFF_MAX_SECONDS=1

fetch() {
    curl -sS -X POST -H 'Content-Type: application/json' "$url/api/v1/media" -d "{\"url\": \"$1\"}" -o "$work/created.json" -w '%{http_code}' >"$work/code"
    [[ $(cat "$work/code") == 201 ]] || failed "$1 is answered $(cat "$work/code"): $(cat "$work/created.json")"
    id=$(json "$work/created.json" 'd["id"]')
}
asked() { grep -c "\"$1\"" "$work/asked"; }
media() { curl -fsS "$url/api/v1/media/$id" -o "$work/media.json" && json "$work/media.json" "$1"; }
failed_with() { wait_until 60 "$1" media_is "$id" failed; [[ $(json "$work/status.json" 'd["error"]["code"]') == "$1" ]] || failed "$1 expected: $(cat "$work/status.json")"; }

# This machine is not fetched from, until the operator allows it.
start_server
fetch "$files/named"
failed_with address_refused
[[ $(asked /named) == 0 ]] || failed 'it was connected to'
[[ $(curl -sS -o "$work/answer.json" -w '%{http_code}' -X POST -H 'Content-Type: application/json' "$url/api/v1/media" -d '{"url": "http://0x7f.1/x"}') == 422 ]] ||
    failed 'another form of an address was taken'
stop_server
export ALLOW_PRIVATE_ADDRESSES=127.0.0.1
start_server

fetch "$files/moved.wav"
[[ $(json "$work/created.json" '(d["sha256"], d["size_bytes"])') == '(None, None)' ]] ||
    failed "it has a source before it is fetched: $(cat "$work/created.json")"
wait_until 120 'a redirected file is transcribed' media_is "$id" completed
[[ $(media 'd["title"]') == 'The talk' && $(media 'd["filename"]') == 'The talk.wav' ]] || failed "its name: $(cat "$work/media.json")"
curl -fsS "$url/api/v1/media/$id/source" -o "$work/source.wav"
cmp "$work/source.wav" "$samples/short.wav" || failed 'the file differs'
fetch "$files/busy.wav"
wait_until 120 'one that was busy' media_is "$id" completed
[[ $(asked /busy.wav) == 2 ]] || failed "asked for $(asked /busy.wav) times"
fetch "$files/inside.wav"
failed_with address_refused
fetch "$files/page"
wait_until 60 'a page without a video' media_is "$id" failed
if [[ $(json "$work/status.json" 'd["error"]["code"]') == no_media_found ]]; then
    # yt-dlp is here, and there is a room for it.
    fetch "$files/video"
    wait_until 120 'the video of a page' media_is "$id" completed
    curl -fsS "$url/api/v1/media/$id/source" -o "$work/source.wav"
    cmp "$work/source.wav" "$samples/short.wav" || failed 'the file of the page differs'
    media 'd["title"]' | grep -q '^A video' || failed "its title: $(cat "$work/media.json")"
    fetch "$files/trap"
    failed_with address_refused
    for stream in stream hls/talk.m3u8; do # its pieces, one after the other
        fetch "$files/$stream"
        wait_until 120 "the stream at /$stream" media_is "$id" completed
        [[ $(media 'd["media_info"]["container"]') == mpegts ]] || failed "the pieces: $(cat "$work/media.json")"
        curl -fsS "$url/api/v1/media/$id/transcript.txt" -o "$work/stream.txt"
        expect_in "$work/stream.txt" 'on the table'
        (($(asked /hls/talk0.ts) >= 1 && $(asked /hls/talk1.ts) >= 1)) || failed 'pieces were not asked for'
    done
else
    failed_with web_page
    expect_in "$work/status.json" 'yt-dlp'
fi
fetch "$files/nothing.wav"
failed_with download_refused

# A connection that is cut: the next attempt asks for the rest alone.
fetch "$files/cut.wav"
wait_until 120 'one that was cut' media_is "$id" completed
half=$(($(stat -c %s "$samples/short.wav") / 2))
grep -qF "[\"/cut.wav\", \"bytes=$half-\", \"\\\"v1\\\"\"]" "$work/asked" || failed "the rest was not asked for alone: $(grep cut "$work/asked")"
curl -fsS "$url/api/v1/media/$id/source" -o "$work/source.wav"
cmp "$work/source.wav" "$samples/short.wav" || failed 'the file differs'

# The worker is killed in the middle, then the server: each time the rest is asked for.
bytes_done() { curl -fsS "$url/api/v1/media/$id/status" -o "$work/status.json" && json "$work/status.json" '(d["download"] or {"bytes_done": 0})["bytes_done"]'; }
size=$(stat -c %s "$work/long.wav")
at_least() { (($(bytes_done) >= $1)); }
fetch "$files/slow.wav"
wait_until 60 'half of it' at_least $((size / 2))
[[ $(media 'd["status"]') == processing ]] || failed 'it is not being processed'
[[ $(curl -fsS "$url/media/$id" | python3 -c 'import json,sys; print(json.load(sys.stdin)["status"])') == downloading ]] || failed 'earlier clients are not told of the download'
[[ $(json "$work/status.json" 'd["stage"], d["download"]["bytes_total"]') == "('Downloading', $size)" ]] || failed "the status: $(cat "$work/status.json")"
worker=$(pgrep -P "$server_pid" -f 'durascribe-worker fetch')
kill -KILL "$worker"
wait_until 60 'three quarters of it' at_least $((size * 3 / 4))
kill -KILL "$server_pid"
wait "$server_pid" 2>/dev/null
start_server
wait_until 60 'seven eighths of it' at_least $((size * 7 / 8))
touch "$work/go"
wait_until 300 'all of it is transcribed' media_is "$id" completed
curl -fsS "$url/api/v1/media/$id/source" -o "$work/source.wav"
cmp "$work/source.wav" "$work/long.wav" || failed 'the file differs'
[[ $(grep -c '"/slow.wav", null' "$work/asked") == 1 ]] || failed "what had come was asked for again: $(grep slow "$work/asked")"
curl -fsS -X DELETE "$url/api/v1/media/$id" || failed 'the deletion'

# Where the operator wants no sites, their pages are refused, with yt-dlp or without; files are fetched as before.
stop_server
IMPORT_SITES=false start_server
for page in video stream hls/talk.m3u8; do
    before=$(wc -l <"$work/asked")
    fetch "$files/$page"
    failed_with web_page
    expect_in "$work/status.json" 'IMPORT_SITES'
    (($(wc -l <"$work/asked") == before + 1)) || failed "what /$page leads to was asked for"
done
fetch "$files/named"
wait_until 120 'a file, where there are no sites' media_is "$id" completed
stop_server
start_server

# The command line, over the server and without one.
cd "$work" || exit 1
run transcribe --data "$data" "$files/named"
expect_code 0 'an address, over the server'
expect_file "$work/named.srt"
run transcribe --data "$data" --overwrite "$files/named"
expect_in "$errors" 'transcribed before'
stop_server
expect_code 0 'SIGTERM'
run transcribe --data "$work/elsewhere" --format txt "$files/named"
expect_code 0 'an address, without a server'
expect_file "$work/named.txt"
run transcribe --data "$work/elsewhere" --format txt --output "$work/again" "$files/named"
expect_code 0 'the same again'
expect_in "$errors" 'transcribed before'
[[ -z $(ls -A "$data/blobs/uploads" 2>/dev/null) ]] || failed "parts were left: $(ls "$data/blobs/uploads")"
