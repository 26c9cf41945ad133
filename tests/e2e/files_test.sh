#!/usr/bin/env bash
# transcribe: names of every kind, and files that can't be transcribed.
source "$(dirname "$0")/lib.sh" "$@"

long=$(python3 -c 'print("n" * 251, end="")')
names=('with two  spaces.wav' "quote ' and \" and \$HOME.wav" '会议录音.wav' 'mic 🎤.wav' '-dash.wav' "$long.wav" 'UPPER.WAV')
mkdir "$work/in"
for i in "${!names[@]}"; do
    # Each of another length, so that each is a task of its own.
    ffmpeg -nostdin -v error -i "$samples/short.wav" -t "2.$((i + 3))" "$work/in/short.wav" || failed 'no recording made'
    mv "$work/in/short.wav" "$work/in/${names[i]}"
done
run transcribe --data "$data" "$work"/in/*
expect_code 0 'names of every kind'
for name in "${names[@]}"; do expect_file "$work/in/${name%.*}.srt"; done
(cd "$work/in" && "$bin/durascribe" transcribe --data "$data" --format txt -- ./-dash.wav >"$output" 2>"$errors") ||
    failed 'a relative name that begins with a dash'
expect_file "$work/in/-dash.txt"

run transcribe --data "$data" --format json --output "$work/long" "$work/in/$long.wav"
expect_code 0 'a name that leaves no room for its extension'
[[ $(ls "$work/long" | wc -l) == 1 ]] || failed 'no transcript of the long name'

# One bad file does not keep the others from their transcripts.
echo 'this is no recording' >"$work/text.mp3"
: >"$work/empty.mp3"
mkdir "$work/folder.mp3"
mkfifo "$work/pipe.mp3"
cp "$samples/short.wav" "$work/good.wav"
run transcribe --data "$data" "$work/missing.mp3" "$work/text.mp3" "$work/empty.mp3" "$work/folder.mp3" \
    "$work/pipe.mp3" "$work/good.wav"
expect_code 1 'bad files'
expect_in "$errors" 'missing.mp3 is not there'
expect_in "$errors" 'empty.mp3 is empty'
expect_in "$errors" 'folder.mp3 is a folder'
expect_in "$errors" 'pipe.mp3 is not a regular file'
expect_in "$errors" 'text.mp3'
expect_file "$work/good.srt"
expect_no_file "$work/text.srt"

cp "$samples/short.wav" "$work/good.wave"
run transcribe --data "$data" "$work/good.wav" "$work/good.wave"
expect_code 1 'two files with one transcript'
expect_in "$errors" '--output DIR'

run transcribe --data "$data" http://2130706433/talk.mp3
expect_code 1 'an address in another form'
expect_in "$errors" 'four decimal numbers'
run transcribe --data "$data" http://127.0.0.1:9/talk.mp3
expect_code 1 'an address of this machine'
expect_in "$errors" 'ALLOW_PRIVATE_ADDRESSES'
