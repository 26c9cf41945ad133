#!/usr/bin/env bash
# web_test.sh BIN SAMPLES NAME: NAME_test.mjs, which drives the page of a real server in headless
# Chromium.
source "$(dirname "$0")/../e2e/lib.sh" "$1" "$2"
name=${3:?the name of the test}

browser=''
for one in chromium chromium-browser google-chrome; do
    browser=$(command -v "$one") && break
done
if [[ -z $browser ]] || ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    echo 'Chromium or Node.js is not installed: the page was not tried (apt-get install chromium nodejs npm).'
    exit 77
fi

# Installed once for each lock file; the tests run side by side.
here=$(cd "$(dirname "$0")" && pwd -P)
place=$bin/../web-tests
mkdir -p "$place"
exec 9>"$place/.lock"
flock 9
if ! cmp -s "$here/package-lock.json" "$place/installed"; then
    cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$place/"
    npm --prefix "$place" ci --ignore-scripts >"$output" 2>"$errors" || failed 'npm ci'
    cp "$here/package-lock.json" "$place/installed"
fi
cp "$here"/*.mjs "$place/"
exec 9>&-

DURASCRIBE_BIN=$bin SAMPLES=$samples WORK=$work BROWSER=$browser HOME=$work/home \
    timeout 300 node "$place/${name}_test.mjs" || failed "web $name"
