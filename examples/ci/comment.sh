#!/bin/sh
# comment.sh FILE: writes FILE, a report of `aeroform … --also markdown=FILE`, as a comment on the pull request
# or merge request of this job. It updates its newest comment of the same command and app, or writes a new one.
#
# Needs sh, curl and jq. The text and the token go from file to file, never through an argument.
# Every failure is a warning: a comment never changes how the job ends.
#
# GitHub   GITHUB_TOKEN        needs the permission `pull-requests: write`
#          COMMENT_LOGIN       the token's own login (github-actions[bot])
#          PULL_REQUEST        its number; without it, that of the event
# GitLab   AEROFORM_NOTE_TOKEN a project access token with the scope `api`; CI_JOB_TOKEN cannot write notes
# Both     COMMENT=new         always a new comment, which keeps the older ones
set -u
umask 077

warn() {
  if [ "${GITHUB_ACTIONS:-}" = true ]; then
    printf '::warning title=aeroform::%s\n' "$1"
  else
    printf 'warning: %s\n' "$1" >&2
  fi
}
give_up() {
  warn "no comment was written: $1"
  exit 0
}

file=${1:-}
[ -f "$file" ] || give_up "there is no file '$file'"
for tool in curl jq; do
  command -v "$tool" >/dev/null || give_up "this image has no $tool"
done
dir=$(mktemp -d) || give_up 'no temporary folder could be made'
trap 'rm -rf "$dir"' EXIT
trap 'exit 0' HUP INT TERM

# The first line names the command and the app: <!-- aeroform {"command":"plan","app":"shop",…} -->
marker='(split("\n")[0] // "") | (capture("^<!-- aeroform (?<json>[{].*[}]) -->\r?$") // {json: "null"}).json
  | (try fromjson catch null) | if type == "object" then {command, app} else null end'
ours=$(jq -Rs -c "$marker" "$file") || ours=null
[ "$ours" != null ] || give_up "$file does not begin with the marker of aeroform"

if [ -n "${GITLAB_CI:-}" ]; then
  forge=GitLab
  [ -n "${AEROFORM_NOTE_TOKEN:-}" ] ||
    give_up 'AEROFORM_NOTE_TOKEN is not set; a CI_JOB_TOKEN cannot write notes, a project access token with the scope api can'
  [ -n "${CI_MERGE_REQUEST_IID:-}" ] || give_up 'this is not a merge request pipeline'
  printf 'PRIVATE-TOKEN: %s\n' "$AEROFORM_NOTE_TOKEN" >"$dir/headers"
  list="${CI_API_V4_URL:-}/projects/${CI_PROJECT_ID:-}/merge_requests/$CI_MERGE_REQUEST_IID/notes"
  one=$list
  update=PUT
  author=.author.username
  right='a project access token with the scope api and the role Developer'
else
  forge=GitHub
  [ -n "${GITHUB_TOKEN:-}" ] || give_up 'GITHUB_TOKEN is not set'
  number=${PULL_REQUEST:-}
  if [ -z "$number" ] && [ -f "${GITHUB_EVENT_PATH:-}" ]; then
    number=$(jq -r '.pull_request.number // empty' "$GITHUB_EVENT_PATH") || number=
  fi
  [ -n "$number" ] || give_up 'this job has no pull request; PULL_REQUEST gives its number'
  {
    printf 'Authorization: Bearer %s\n' "$GITHUB_TOKEN"
    printf 'Accept: application/vnd.github+json\nX-GitHub-Api-Version: 2022-11-28\n'
  } >"$dir/headers"
  repository="${GITHUB_API_URL:-https://api.github.com}/repos/${GITHUB_REPOSITORY:-}"
  list=$repository/issues/$number/comments
  one=$repository/issues/comments
  update=PATCH
  author=.user.login
  right='permissions: pull-requests: write'
fi

# call METHOD URL [CURL OPTION…]: the status in $status, the body in $dir/answer
call() {
  method=$1 url=$2
  shift 2
  status=$(curl --silent --output "$dir/answer" --write-out '%{http_code}' \
    --connect-timeout 10 --max-time "${COMMENT_TIMEOUT:-30}" \
    --request "$method" --header "@$dir/headers" "$@" "$url") || status=000
}
why() {
  case $status in
    000) printf '%s did not answer' "$forge" ;;
    401 | 403) printf '%s answered %s: the token needs %s' "$forge" "$status" "$right" ;;
    404) printf '%s answered 404: the token cannot see %s, or it is gone' "$forge" "$list" ;;
    *) printf '%s answered %s' "$forge" "$status" ;;
  esac
}

# Only a comment of our own login: anybody can copy the marker.
login=${COMMENT_LOGIN:-github-actions[bot]}
if [ "$forge" = GitLab ] && [ "${COMMENT:-}" != new ]; then
  call GET "$CI_API_V4_URL/user" --retry 2
  [ "$status" = 200 ] || give_up "$(why)"
  login=$(jq -r '.username // empty' "$dir/answer") || login=
  [ -n "$login" ] || give_up "$forge did not say whose token this is"
fi

id=
page=1
while [ "${COMMENT:-}" != new ]; do
  call GET "$list?per_page=100&page=$page" --retry 2
  # Without the whole list, a new comment could be the second one.
  [ "$status" = 200 ] || give_up "$(why)"
  found=$(jq -r --arg login "$login" --argjson ours "$ours" \
    "[.[] | select($author == \$login and (.body // \"\" | $marker) == \$ours) | .id] | max // empty" \
    "$dir/answer") || give_up "$forge did not send a list of comments"
  count=$(jq length "$dir/answer")
  if [ -n "$found" ] && [ "$found" -gt "${id:-0}" ]; then
    id=$found
  fi
  [ "$count" -eq 100 ] || break
  page=$((page + 1))
done

send() {
  jq -n --rawfile body "$1" '{body: $body}' >"$dir/payload" || give_up "$1 cannot be read"
  set -- --header 'Content-Type: application/json' --data-binary "@$dir/payload"
  if [ -n "$id" ]; then
    call "$update" "$one/$id" --retry 2 "$@"
  else
    # Not repeated: a lost answer would become a second comment.
    call POST "$list" "$@"
  fi
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

send "$file"
if [ "$status" = 422 ] || [ "$status" = 413 ]; then
  LC_ALL=C shorten "$file" >"$dir/shorter"
  send "$dir/shorter"
fi
case $status in
  200 | 201) printf 'comment: %s\n' "$(jq -r '.html_url // "written"' "$dir/answer" 2>/dev/null || echo written)" ;;
  *) give_up "$(why)" ;;
esac
