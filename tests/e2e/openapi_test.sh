#!/usr/bin/env bash
# The OpenAPI document that the server serves is valid by the schema of OpenAPI 3.1, and a document that is not is
# found to be so.
source "$(dirname "$0")/lib.sh" "$@"

install_client openapi

start_server
curl -fsS "$url/api/openapi.json" -o "$work/served.json" || failed 'no document'
stop_server
expect_code 0 'SIGTERM'

valid() { node "$client/validate.mjs" "$1" >"$output" 2>"$errors"; }
valid "$work/served.json" || failed 'the served document is not valid'
expect_in "$output" 'valid OpenAPI 3.1'
for wrong in 'd["paths"]["/health/live"]["get"]["responses"]["200"].pop("description")' \
             'd["components"]["securitySchemes"]["csrf"].pop("name")' 'd["info"].pop("title")'; do
    python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); exec(sys.argv[2]); json.dump(d,open(sys.argv[3],"w"))' \
        "$work/served.json" "$wrong" "$work/wrong.json"
    if valid "$work/wrong.json"; then failed "found to be valid in spite of $wrong"; fi
done
