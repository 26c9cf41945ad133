#!/usr/bin/env bash
# access: beyond this machine a token is needed; made, limited and revoked from the command line.
source "$(dirname "$0")/lib.sh" "$@"

# An address of this machine that is not loopback; without one, a network of its own has one.
outside=$(ip -4 -o addr show scope global 2>/dev/null | awk '{sub("/.*", "", $4); print $4; exit}')
if [[ -z $outside ]]; then
    echo 'This machine has no address but loopback.'
    exit 77
fi

# serve_everywhere <arguments...>: as start_server, on every address of this machine.
serve_everywhere() {
    : >"$work/server.out"
    "$bin/durascribe" serve --listen 0.0.0.0:0 --data "$data" "$@" >"$work/server.out" 2>>"$work/server.log" &
    server_pid=$!
    wait_until 60 'the server is ready' is_ready
    url=$(sed -n 's/.*is ready on //p' "$work/server.out")
}

run serve --listen 0.0.0.0:0 --data "$data"
expect_code 2 'no token yet'
expect_in "$errors" "durascribe token create NAME --data $data"
expect_in "$errors" '--no-auth'

run token create short --expires 1s --data "$data"
expect_code 0 'a token that ends soon'
short_until=$(($(milliseconds) + 1000))
run token create nightly --scope read --scope write --expires 90d --max-jobs 5 --data "$data"
expect_code 0 'the first token, without a server'
expect_in "$errors" 'shown this once'
token=$(<"$output")
[[ $token =~ ^ds_[A-Za-z0-9_-]{43}$ ]] || failed "standard output is not the token alone: $token"
run token create nightly --data "$data"
expect_code 1 'a name that is taken'
expect_in "$errors" 'nightly'
for wrong in '--scope all' '--expires soon' '--max-storage much'; do
    # shellcheck disable=SC2086
    run token create other $wrong --data "$data"
    expect_code 2 "$wrong"
done
! grep -qF "$token" "$data/durascribe.db" || failed 'the token itself is in the database'

serve_everywhere
port=${url##*:}
url=http://$outside:$port
status() { curl -s -o "$work/answer" -w '%{http_code}' "$@"; }
bearer=(-H "Authorization: Bearer $token")
[[ $(status "$url/api/v1/media") == 401 ]] || failed 'without a token from outside'
expect_in "$work/answer" 'token_required'
[[ $(status "$url/health/live") == 200 ]] || failed 'health is open'
[[ $(status "$url/health/ready") == 200 ]] || failed 'ready is open'
[[ $(json "$work/answer" 'list(d)') == "['status']" ]] || failed "it tells a stranger more: $(<"$work/answer")"
[[ $(status "${bearer[@]}" "$url/health/ready") == 200 ]] || failed 'ready with a token'
expect_in "$work/answer" 'sandbox'
[[ $(status "http://127.0.0.1:$port/api/v1/media") == 200 ]] || failed 'loopback needs none'
[[ $(status -H 'X-Forwarded-For: 192.0.2.1' "http://127.0.0.1:$port/api/v1/media") == 401 ]] || failed 'what a proxy passes on'

curl -fsS "${bearer[@]}" -F "file=@$samples/short.wav" "$url/api/v1/media" -o "$work/created.json" || failed 'an upload from outside'
id=$(json "$work/created.json" 'd["id"]')
[[ $(status "${bearer[@]}" -X POST "$url/api/v1/queue/pause") == 403 ]] || failed 'it has no scope admin'
expect_in "$work/answer" '"required_scope":"admin"'
[[ $(status "${bearer[@]}" "$url/v1/models") == 200 ]] || failed "as the key of OpenAI's clients"
curl -fsS "${bearer[@]}" "$url/media/$id/status" -o /dev/null || failed "by an earlier client's path"

# Through the running server.
run token list --data "$data"
expect_code 0 'the list'
expect_in "$output" 'nightly'
run token list --json --data "$data"
token_id=$(json "$output" '[t["id"] for t in d if t["name"] == "nightly"][0]')
[[ $(json "$output" '[t["last_used_at"] for t in d if t["name"] == "nightly"][0]') != None ]] || failed 'its last use'
run token create watcher --scope read --data "$data"
expect_code 0 'a token from the running server'
watcher=$(<"$output")
curl -sN -H "Authorization: Bearer $token" "$url/api/v1/events" >"$work/stream" 2>/dev/null &
stream=$!
background_pids+=("$stream")
wait_until 10 'the stream has begun' grep -q snapshot "$work/stream"
run token revoke "$token_id" --data "$data"
expect_code 0 'revoke'
[[ $(status "${bearer[@]}" "$url/api/v1/media") == 401 ]] || failed 'a revoked token'
expect_in "$work/answer" 'invalid_token'
wait "$stream" && failed 'the stream of a revoked token ended as if it were whole'
[[ $(status -H "Authorization: Bearer $watcher" "$url/api/v1/media/$id") == 200 ]] || failed 'the other token goes on'
[[ $(status -H "Authorization: Bearer $watcher" -X DELETE "$url/api/v1/media/$id") == 403 ]] || failed 'it only reads'
run token revoke "$token_id" --data "$data"
expect_code 1 'revoked already'
stop_server

# Without a server again, and with a token asked for on loopback as well.
run token list --json --data "$data"
run token revoke "$(json "$output" '[t["id"] for t in d if t["name"] == "watcher"][0]')" --data "$data"
expect_code 0 'revoke without a server'
has_run_out() { (($(milliseconds) > short_until)); }
wait_until 10 'the first token has run out' has_run_out
run serve --listen 0.0.0.0:0 --data "$data"
expect_code 2 'only a token is left that has run out'
export AUTH_ON_LOOPBACK=true
start_server
[[ $(status "$url/api/v1/media") == 401 ]] || failed 'AUTH_ON_LOOPBACK'
run tasks --data "$data"
expect_code 0 'commands on the data directory are let in all the same'
stop_server
unset AUTH_ON_LOOPBACK

serve_everywhere --no-auth
[[ $(status "http://$outside:${url##*:}/api/v1/media") == 200 ]] || failed '--no-auth'
stop_server
