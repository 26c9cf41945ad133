#!/usr/bin/env bash
# An engine, model or language that is not here is refused at once, with what is here: by command,
# with a server and without one, and nothing of it is kept.
source "$(dirname "$0")/lib.sh"

refused() { # <what> <the words> <durascribe transcribe's arguments…>
    run transcribe "$samples/short.wav" --output - --data "$data" "${@:3}"
    expect_code 1 "$1"
    expect_in "$errors" "$2"
    expect_in "$errors" 'Installed: '
    [[ $(sql 'SELECT count(*) FROM media') == 0 ]] || failed "$1 made a media"
}

all_refused() {
    refused "an unknown engine $1" 'no engine "kaldi"' --engine kaldi
    refused "an unknown model $1" 'no model "large"' --engine pocketsphinx --model large
    refused "a language that no model speaks $1" 'no language "tlh"' --engine pocketsphinx --language tlh
}

all_refused 'without a server'
start_server
all_refused 'with a server'
[[ -z $(find "$data/blobs" -type f) ]] || failed 'a file of a refused upload stayed'
stop_server

# A default that is not here is refused with each upload that leaves it out.
export DURASCRIBE_LANGUAGE=tlh DURASCRIBE_ENGINE=pocketsphinx
start_server
code=$(curl -sS -o "$work/answer.json" -w '%{http_code}' -F "file=@$samples/short.wav" "$url/api/v1/media")
[[ $code == 422 ]] || failed "an upload in a default language that no model speaks is answered $code"
expect_in "$work/answer.json" 'unsupported_language'
code=$(curl -sS -o "$work/answer.json" -w '%{http_code}' -F language=en -F "file=@$samples/short.wav" "$url/api/v1/media")
[[ $code == 201 ]] || failed "an upload that names a language is answered $code"
stop_server
