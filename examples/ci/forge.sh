#!/bin/sh
# forge.sh: GitHub's and GitLab's API, for comment.sh and drift.sh, which read this file from their own folder.
#
# Needs curl and jq. Texts and the token go from file to file, never through an argument.
# A script that reads it defines `give_up REASON` first, which ends it.
#
# shellcheck disable=SC2034,SC2154 # its variables are those of the script that reads it

warn() {
  if [ "${GITHUB_ACTIONS:-}" = true ]; then
    printf '::%s title=aeroform::%s\n' "${2:-warning}" "$1"
  else
    printf '%s: %s\n' "${2:-warning}" "$1" >&2
  fi
}

# open_forge RIGHT-ON-GITHUB RIGHT-ON-GITLAB: the folder for files in $dir, and where the API is.
open_forge() {
  for tool in curl jq; do
    command -v "$tool" >/dev/null || give_up "this image has no $tool"
  done
  dir=$(mktemp -d) || give_up 'no temporary folder could be made'
  trap 'rm -rf "$dir"' EXIT
  if [ -n "${GITLAB_CI:-}" ]; then
    forge=GitLab
    [ -n "${AEROFORM_NOTE_TOKEN:-}" ] ||
      give_up "AEROFORM_NOTE_TOKEN is not set; a CI_JOB_TOKEN cannot write $writes, a project access token with the scope api can"
    printf 'PRIVATE-TOKEN: %s\n' "$AEROFORM_NOTE_TOKEN" >"$dir/headers"
    api="${CI_API_V4_URL:-}/projects/${CI_PROJECT_ID:-}"
    update=PUT
    author=.author.username
    right=$2
  else
    forge=GitHub
    [ -n "${GITHUB_TOKEN:-}" ] || give_up 'GITHUB_TOKEN is not set'
    {
      printf 'Authorization: Bearer %s\n' "$GITHUB_TOKEN"
      printf 'Accept: application/vnd.github+json\nX-GitHub-Api-Version: 2022-11-28\n'
    } >"$dir/headers"
    api="${GITHUB_API_URL:-https://api.github.com}/repos/${GITHUB_REPOSITORY:-}"
    update=PATCH
    author=.user.login
    right=$1
  fi
}

# The first line names the command and the app: <!-- aeroform {"command":"plan","app":"shop",…} -->
marker='(split("\n")[0] // "") | (capture("^<!-- aeroform (?<json>[{].*[}]) -->\r?$") // {json: "null"}).json
  | (try fromjson catch null) | if type == "object" then {command, app} else null end'

# read_marker FILE: command and app of a report in $ours.
read_marker() {
  ours=$(jq -Rs -c "$marker" "$1") || ours=null
  [ "$ours" != null ] || give_up "$1 does not begin with the marker of aeroform"
}

# call METHOD URL [CURL OPTION…]: the status in $status, the body in $dir/answer
call() {
  method=$1 url=$2
  shift 2
  status=$(curl --silent --output "$dir/answer" --write-out '%{http_code}' \
    --connect-timeout 10 --max-time "${FORGE_TIMEOUT:-30}" \
    --request "$method" --header "@$dir/headers" "$@" "$url") || status=000
}
why() {
  case $status in
    000) printf '%s did not answer' "$forge" ;;
    401 | 403) printf '%s answered %s: the token needs %s' "$forge" "$status" "$right" ;;
    404) printf '%s answered 404: the token cannot see %s, or it is gone' "$forge" "$url" ;;
    410) printf '%s answered 410: %s is switched off' "$forge" "$url" ;;
    *) printf '%s answered %s' "$forge" "$status" ;;
  esac
}

# read_login LOGIN-ON-GITHUB: whose token it is, in $login, on GitLab with its id in $user. Anybody can copy a marker:
# only what this login wrote is ours.
read_login() {
  login=$1 user=
  [ "$forge" = GitLab ] || return 0
  call GET "${CI_API_V4_URL:-}/user" --retry 2
  [ "$status" = 200 ] || give_up "$(why)"
  login=$(jq -r '.username // empty' "$dir/answer") || login=
  user=$(jq -r '.id // empty' "$dir/answer") || user=
  [ -n "$login" ] || give_up "$forge did not say whose token this is"
}

# write_text FILE METHOD URL JQ-FILTER [JQ OPTION…]: sends the object that the filter makes of $text. A text that is
# refused as too long is sent once more without its details.
write_text() {
  write_once "$@"
  if [ "$status" = 422 ] || [ "$status" = 413 ]; then
    LC_ALL=C shorten "$1" >"$dir/shorter"
    shift
    write_once "$dir/shorter" "$@"
  fi
}
write_once() {
  file=$1 method=$2 url=$3 filter=$4
  shift 4
  jq -n --rawfile text "$file" "$@" "$filter" >"$dir/payload" || give_up "$file cannot be read"
  set -- --header 'Content-Type: application/json' --data-binary "@$dir/payload"
  # What makes something new is not repeated: a lost answer would make a second one.
  [ "$method" = POST ] || set -- --retry 2 "$@"
  call "$method" "$url" "$@"
}

# Without its details, from the last one, until at most a quarter is left.
shorten() {
  awk -v most="$(($(wc -c <"$1") / 4))" '
    { line[NR] = $0; size += length($0) + 1 }
    $0 == "<details>" { depth++; if (depth == 1) from[++blocks] = NR }
    $0 == "</details>" { depth--; if (depth == 0) to[blocks] = NR }
    END {
      for (block = blocks; block >= 1 && size > most; block--)
        for (at = from[block]; at <= to[block]; at++) { size -= length(line[at]) + 1; gone[at] = 1; left = 1 }
      for (at = 1; at <= NR; at++) if (!(at in gone)) print line[at]
      if (left) print "\nDetails are left out here, because the whole text was refused as too long; the log of the job has them."
    }' "$1"
}
