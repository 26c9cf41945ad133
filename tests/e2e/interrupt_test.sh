#!/usr/bin/env bash
# Ctrl-C hands the work back; the same command goes on, and ends with what an undisturbed run gives.
source "$(dirname "$0")/lib.sh" "$@"

# One chunk after the other: when the first is done, two more have all of their time before them.
export MAX_CONCURRENT_TRANSCRIPTIONS=1
long_recording "$work/long.wav" 90
run transcribe --data "$work/undisturbed" --format txt,srt --output "$work/expected" "$work/long.wav"
expect_code 0 'the undisturbed run'

some_chunks_done() { [[ $(sql "SELECT count(*) FROM units WHERE step=2 AND state='completed'") -ge 1 ]]; }

# A terminal sends SIGINT to the whole group of processes, workers too: a group of its own.
set -m
"$bin/durascribe" transcribe --data "$data" --format txt,srt --output "$work/out" "$work/long.wav" \
    >"$output" 2>"$errors" &
pid=$!
set +m
background_pids+=("$pid")
wait_until 120 'a chunk is recognised' some_chunks_done
workers=$(pgrep -P "$pid" | tr '\n' ' ')
[[ -n $workers ]] || failed 'it has no workers'
for worker in $workers; do
    [[ $(ps -o pgid= -p "$worker" | tr -d ' ') != "$pid" ]] || failed 'Ctrl-C would reach a worker'
done
kill -INT -- "-$pid"
code=0
wait "$pid" || code=$?
expect_code 130 'interrupted'
expect_in "$errors" 'Run the same command again to go on.'
expect_no_file "$work/out/long.txt"
for worker in $workers; do
    [[ ! -d /proc/$worker ]] || failed 'a worker outlived its command'
done
done_before=$(sql "SELECT count(*) FROM units WHERE step=2 AND state='completed'")
((done_before > 0)) || failed 'nothing was kept'
[[ $(sql "SELECT count(*) FROM attempts WHERE outcome='failed'") == 0 ]] || failed 'an attempt was spent on the interruption'

run transcribe --data "$data" --format txt,srt --output "$work/out" "$work/long.wav"
expect_code 0 'the same command again'
expect_in "$errors" 'going on where it was'
cmp "$work/expected/long.txt" "$work/out/long.txt" || failed 'the text differs from that of an undisturbed run'
cmp "$work/expected/long.srt" "$work/out/long.srt" || failed 'the subtitles differ from those of an undisturbed run'
again=$(sql "SELECT count(*) FROM (SELECT unit_id FROM attempts WHERE outcome='completed' GROUP BY unit_id HAVING count(*) > 1)")
[[ $again == 0 ]] || failed "$again finished units were done again"
