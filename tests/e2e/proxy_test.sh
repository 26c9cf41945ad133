#!/usr/bin/env bash
# The installed programs behind a real nginx with TLS, set up by deploy/nginx/durascribe.conf: strangers,
# a session, an upload, one that breaks off, events as they happen.
source "$(dirname "$0")/lib.sh" "$@"

nginx=$(PATH=$PATH:/usr/sbin command -v nginx)
if [[ -z $nginx ]]; then
    echo 'nginx is not installed: the proxy was not tried (apt-get install nginx-light).'
    exit 77
fi
deploy=$(cd "$(dirname "$0")/../../deploy" && pwd -P)
name=transcripts.example

cmake --install "$bin/.." --prefix "$work/usr" >"$output" 2>"$errors" || failed 'cmake --install'
bin=$work/usr/bin
run doctor --data "$data"
expect_in "$output" "$work/usr/bin/durascribe-worker"
run token create alice --data "$data"
expect_code 0 'a token'
token=$(<"$output")
ALLOWED_HOSTS=$name TRUSTED_PROXIES=127.0.0.1 AUTH_ON_LOOPBACK=true start_server
inner=${url#http://}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$name" -addext "subjectAltName=DNS:$name" \
    -keyout "$work/key.pem" -out "$work/cert.pem" 2>"$errors" || failed 'a certificate'
mkdir "$work/nginx"

# start_nginx <port>: in the foreground, with that file; false where the port was taken meanwhile.
start_nginx() {
    sed -e "s|listen 443 ssl|listen 127.0.0.1:$1 ssl|" -e "s|127.0.0.1:8000|${inner%/}|" \
        -e "s|/etc/ssl/certs/$name.pem|$work/cert.pem|" -e "s|/etc/ssl/private/$name.key|$work/key.pem|" \
        "$deploy/nginx/durascribe.conf" >"$work/nginx/durascribe.conf"
    cat >"$work/nginx/nginx.conf" <<CONF
daemon off;
master_process off;
pid $work/nginx/pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    include $work/nginx/durascribe.conf;
}
CONF
    "$nginx" -p "$work/nginx" -c "$work/nginx/nginx.conf" -e stderr 2>>"$work/server.log" &
    nginx_pid=$!
    background_pids+=("$nginx_pid")
    wait_until 20 'nginx listens, or has ended' nginx_answers "$1"
    kill -0 "$nginx_pid" 2>/dev/null
}
nginx_answers() { ! kill -0 "$nginx_pid" || curl -ks -o /dev/null "https://127.0.0.1:$1/health/live"; }
for _ in 1 2 3 4 5; do
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    start_nginx "$port" && break
done
kill -0 "$nginx_pid" || failed 'nginx did not start'
site=https://$name:$port
ask=(curl -sS --http1.1 --cacert "$work/cert.pem" --resolve "$name:$port:127.0.0.1")
bearer=(-H "Authorization: Bearer $token")
status() { "${ask[@]}" -o "$work/answer" -w '%{http_code}' "$@"; }

# nginx comes from loopback; who stands behind it does not.
[[ $(status "$site/api/v1/media") == 401 ]] || failed 'a stranger comes in'
[[ $(status "${bearer[@]}" "$site/api/v1/media") == 200 ]] || failed 'the token is not taken'
[[ $(status "${bearer[@]}" -H 'Host: evil.example' "$site/api/v1/media") == 403 ]] || failed 'another name is taken'

# The page's session.
[[ $(status -H "Origin: $site" -H 'Content-Type: application/json' -d "{\"token\": \"$token\"}" -c "$work/jar" -D "$work/head" \
    "$site/api/v1/session") == 201 ]] || failed "no session: $(<"$work/answer")"
grep -qi '^set-cookie: durascribe_session=.*secure' "$work/head" || failed "the cookie is not for TLS alone: $(<"$work/head")"
csrf=$(json "$work/answer" 'd["csrf_token"]')
page=(-b "$work/jar" -H "X-CSRF-Token: $csrf")
[[ $(status "${page[@]}" -H 'Origin: https://evil.example' -X DELETE "$site/api/v1/session") == 403 ]] || failed 'a foreign page may act'

# Events, over a stream and over a WebSocket, from before the upload on.
"${ask[@]}" -N -b "$work/jar" "$site/api/v1/events" >"$work/stream" 2>/dev/null &
background_pids+=("$!")
"${ask[@]}" -N -b "$work/jar" -H "Origin: $site" -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
    -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' "$site/api/v1/ws" -D "$work/upgrade" >"$work/socket" 2>/dev/null &
background_pids+=("$!")
wait_until 20 'the stream has begun' grep -qa '"snapshot"\|event: snapshot' "$work/stream"
wait_until 20 'the WebSocket has begun' grep -qa '"snapshot"' "$work/socket"
expect_in "$work/upgrade" '101'
[[ $(status "${page[@]}" -H "Origin: $site" -F "file=@$samples/short.wav" "$site/api/v1/media") == 201 ]] || failed "an upload: $(<"$work/answer")"
wait_until 60 'the stream tells of its end' grep -qa '"state":"completed"' "$work/stream"
wait_until 60 'the WebSocket tells of its end' grep -qa '"state":"completed"' "$work/socket"

# What has come of a piece is kept, though the piece never ends.
tus=("${bearer[@]}" -H 'Tus-Resumable: 1.0.0')
location=$("${ask[@]}" "${tus[@]}" -X POST -H 'Upload-Length: 9000000' -D - -o "$output" "$site/api/v1/uploads" | sed -n 's/^Location: \(.*\)\r/\1/ip')
[[ $location == /* ]] || failed "an upload is at $location"
mkfifo "$work/piece"
"${ask[@]}" "${tus[@]}" -X PATCH -H 'Upload-Offset: 0' -H 'Content-Type: application/offset+octet-stream' -H 'Expect:' \
    -T "$work/piece" "$site$location" >"$output" 2>"$errors" &
sender=$!
background_pids+=("$sender")
exec 9>"$work/piece"
head -c 4000000 /dev/zero >&9
received() { find "$data/blobs/uploads" -type f -size +3900000c | grep -q .; }
wait_until 20 'it is passed on as it comes' received
kill -KILL "$sender"
exec 9>&-
kept() { [[ $("${ask[@]}" "${tus[@]}" -I "$site$location" | sed -n 's/^Upload-Offset: \([0-9]*\)\r/\1/ip') == 4000000 ]]; }
wait_until 20 'what came is kept' kept
stop_server
expect_code 0 'the end'
