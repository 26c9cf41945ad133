#!/usr/bin/env bash
# The rules of style that a program can judge, over every source file of the checkout. Prints each
# place that breaks one, and what to do. Exit code 77: the rest holds, but clang-format-19 is missing.
set -uo pipefail
cd "${1:?usage: style_test.sh <checkout>}" || exit 1

mapfile -t sources < <(find src apps tests bench -name '*.h' -o -name '*.cpp' | LC_ALL=C sort)
mapfile -t scripts < <(find CMakeLists.txt cmake src apps tests bench scripts run test \
    -name '*.cmake' -o -name CMakeLists.txt -o -name '*.sh' -o -path run -o -path test)
mapfile -t shipped < <(printf '%s\n' "${sources[@]}" | grep -E '^(src|apps)/')
mapfile -t unit_tests < <(printf '%s\n' "${sources[@]}" | grep -E '_test\.cpp$')
if ((${#shipped[@]} == 0 || ${#unit_tests[@]} == 0 || ${#scripts[@]} == 0)); then
    echo "No sources found in $PWD."
    exit 1
fi

broken=0
# refuse <remedy> <grep arguments...>: no line may match.
refuse() {
    local remedy=$1 found
    shift
    found=$(grep -nH "$@")
    case $? in
        0) printf '%s\n%s\n\n' "$remedy" "$found"; broken=1 ;;
        1) ;;
        *) echo "grep could not read every source file."; broken=1 ;;
    esac
}
refuse 'Do it, or write down in the docs that it is not done:' \
    -wE 'TODO|FIXME|XXX' "${shipped[@]}"
refuse 'Include by layer, "durascribe/<layer>/x.h", so that the layer must be named in USES:' \
    -F '#include "../' "${sources[@]}"
refuse 'A test waits for the event itself, with a deadline, and does not sleep for it:' \
    -wE 'sleep_for|sleep_until|usleep|nanosleep' "${unit_tests[@]}"
refuse 'Spaces, not tabs:' -P '\t' "${sources[@]}" "${scripts[@]}"

if ! command -v clang-format-19 >/dev/null; then
    ((broken == 0)) || exit 1
    echo 'clang-format-19 is not installed: the format was not judged (apt-get install clang-format-19).'
    exit 77
fi
if ! clang-format-19 --dry-run -Werror "${sources[@]}"; then
    echo 'Run clang-format-19 -i on the files named above.'
    broken=1
fi
exit "$broken"
