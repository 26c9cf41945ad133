#!/usr/bin/env bash
# Times the extraction of an hour of speech against `ffmpeg -i X -ar 16000 -ac 1 -f s16le out`, in
# alternating runs, and compares the peak memory of one hour and ten.
# usage: extract_bench.sh MEDIA_EXTRACT_BENCH [WORKDIR]   (2 GB of room; kept files are used again)
set -euo pipefail
bench=$(realpath "$1")
work=${2:-$(mktemp -d)}
samples=$(cd "$(dirname "$0")/../samples" && pwd)
runs=5
mkdir -p "$work"
cd "$work"
quiet=(-hide_banner -loglevel error -nostdin -y)

make_hour() {  # make_hour OUT CODEC-OPTIONS...
    [ -s "$1" ] && return
    if [ ! -s hour.wav ]; then
        ffmpeg "${quiet[@]}" -i "$samples/talk.ogg" -ar 48000 -ac 2 talk.wav
        sox talk.wav hour.wav repeat 56 trim 0 3600
    fi
    ffmpeg "${quiet[@]}" -i hour.wav "${@:2}" "$1"
}
make_hour hour.mp3 -c:a libmp3lame -b:a 128k
make_hour hour.m4a -c:a aac -b:a 128k
make_hour hour.opus -c:a libopus -b:a 64k

seconds() {
    local from=$EPOCHREALTIME
    "$@" >/dev/null 2>&1 </dev/null
    awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f\n", b - a }'
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for file in hour.mp3 hour.m4a hour.opus; do
    cat "$file" >/dev/null  # both read it from memory
    : >ours.txt
    : >theirs.txt
    for ((i = 0; i < runs; ++i)); do
        seconds "$bench" "$file" out.raw >>ours.txt
        seconds ffmpeg -nostdin -y -i "$file" -ar 16000 -ac 1 -f s16le out.raw >>theirs.txt
    done
    awk -v f="$file" -v a="$(median <ours.txt)" -v b="$(median <theirs.txt)" \
        'BEGIN { printf "%s: extract %.2f s, ffmpeg %.2f s, ratio %.2f\n", f, a, b, a / b }'
done

[ -s hours.mp3 ] || ffmpeg "${quiet[@]}" -stream_loop 9 -i hour.mp3 -c copy hours.mp3
for file in hour.mp3 hours.mp3; do
    echo "$file: $("$bench" "$file" out.raw)"
done
rm -f out.raw
