#!/usr/bin/env bash
# transcribe: every format, standard output, what is done a second time, exit codes.
source "$(dirname "$0")/lib.sh" "$@"

cp "$samples/talk.ogg" "$work/talk.ogg"
run transcribe --data "$data" "$work/talk.ogg"
expect_code 0 'the main job'
expect_file "$work/talk.srt"
expect_in "$work/talk.srt" ' --> '
cp "$output" "$work/talk.out"
found=$(words_found "$samples/talk.txt" "$work/talk.out")
((found >= 50)) || failed "only $found % of the spoken words are in the text"

run transcribe --data "$data" --format srt,vtt,txt,json --output "$work/all" "$work/talk.ogg"
expect_code 0 'all formats'
for format in srt vtt txt json; do expect_file "$work/all/talk.$format"; done
[[ $(head -c 6 "$work/all/talk.vtt") == WEBVTT ]] || failed 'the VTT has no header'
json "$work/all/talk.json" 'len(d)' >/dev/null || failed 'the JSON is not JSON'
cmp -s "$work/all/talk.srt" "$work/talk.srt" || failed 'two calls, two results'
[[ -z $(ls -A "$work" | grep '^\.durascribe') ]] || failed 'a temporary file was left'

within 1000 'the second call' run transcribe --data "$data" "$work/talk.ogg"
expect_code 0 'the second call'
expect_in "$errors" 'transcribed before'

run transcribe --data "$data" --output - --format vtt "$work/talk.ogg"
expect_code 0 'standard output'
cmp -s "$output" "$work/all/talk.vtt" || failed 'standard output is not the VTT'

# What a user has corrected is never replaced unless they say so.
echo 'corrected by hand' >"$work/talk.srt"
run transcribe --data "$data" "$work/talk.ogg"
expect_code 1 'a transcript that differs'
expect_in "$errors" '--overwrite'
[[ $(<"$work/talk.srt") == 'corrected by hand' ]] || failed 'the corrected transcript was replaced'
run transcribe --data "$data" --overwrite "$work/talk.ogg"
expect_code 0 '--overwrite'
expect_in "$work/talk.srt" ' --> '

before=$(sql 'SELECT count(*) FROM tasks')
run transcribe --data "$data" --force "$work/talk.ogg"
expect_code 0 '--force'
[[ $(sql 'SELECT count(*) FROM tasks') == $((before + 1)) ]] || failed '--force made no new task'

# The same bytes under two names: the second must not cancel the first.
cp "$work/talk.ogg" "$work/copy of talk.ogg"
run transcribe --data "$data" --force "$work/talk.ogg" "$work/copy of talk.ogg"
expect_code 0 '--force with the same bytes twice'
expect_file "$work/copy of talk.srt"

# A file that was cut off is transcribed as far as it goes, and the user is told.
head -c "$(($(stat -c %s "$samples/short.wav") / 2))" "$samples/short.wav" >"$work/cut.wav"
run transcribe --data "$data" "$work/cut.wav"
expect_code 0 'a file that was cut off'
expect_in "$errors" 'cut.wav: The file ends early'

ffmpeg -nostdin -v error -f lavfi -i anullsrc=r=16000:cl=mono -t 5 "$work/silence.wav" || failed 'no silence made'
run transcribe --data "$data" "$work/silence.wav"
expect_code 0 'silence'
expect_in "$errors" 'No speech was found in silence.wav.'
cp "$samples/silent.mp4" "$work/silent.mp4"
run transcribe --data "$data" "$work/silent.mp4"
expect_code 1 'no audio track'
expect_in "$errors" 'no audio track'
run transcribe --data "$data" "$work/silent.mp4"
expect_code 1 'no audio track, again'
expect_in "$errors" 'trying that part again'

run tasks --data "$data"
expect_code 0 'tasks'
expect_in "$output" 'completed'
run tasks --data "$data" --json
[[ $(json "$output" '{t["status"] for t in d} == {"completed", "failed"}') == True ]] || failed 'tasks --json'

# Wrong usage.
run transcribe --data "$data" --format doc "$work/talk.ogg"
expect_code 2 'an unknown format'
expect_in "$errors" 'srt, vtt, txt or json'
run transcribe --data "$data"
expect_code 2 'no file'
run nonsense
expect_code 2 'an unknown command'
expect_in "$errors" 'There is no command "nonsense"'
run "$work/talk.ogg"
expect_code 2 'a file without a command'
expect_in "$errors" "durascribe transcribe $work/talk.ogg"
run --version
expect_code 0 '--version'
run transcribe --help
expect_code 0 '--help'
run models
expect_code 0 'models'
expect_in "$output" 'pocketsphinx'
run doctor --data "$data"
expect_code 0 'doctor'
