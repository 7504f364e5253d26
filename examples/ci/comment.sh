#!/bin/sh
# comment.sh FILE: writes FILE, a report of `aeroform … --also markdown=FILE`, as a comment on the pull request
# or merge request of this job. It updates its newest comment of the same command and app, or writes a new one.
#
# Needs sh, curl and jq, and forge.sh beside it. The text and the token go from file to file, never through an argument.
# Every failure is a warning: a comment never changes how the job ends.
#
# GitHub   GITHUB_TOKEN        needs the permission `pull-requests: write`
#          COMMENT_LOGIN       the token's own login (github-actions[bot])
#          PULL_REQUEST        its number; without it, that of the event
# GitLab   AEROFORM_NOTE_TOKEN a project access token with the scope `api`; CI_JOB_TOKEN cannot write notes
# Both     COMMENT=new         always a new comment, which keeps the older ones
#
# shellcheck disable=SC1090,SC2034,SC2154 # forge.sh is beside it
set -u
umask 077

give_up() {
  warn "no comment was written: $1"
  exit 0
}
shared=$(dirname "$0")/forge.sh
if [ ! -f "$shared" ]; then
  echo "warning: no comment was written: there is no $shared; copy it with comment.sh" >&2
  exit 0
fi
. "$shared"

file=${1:-}
[ -f "$file" ] || give_up "there is no file '$file'"
writes=notes
open_forge 'permissions: pull-requests: write' \
  'a project access token with the scope api and the role Developer'
trap 'exit 0' HUP INT TERM
read_marker "$file"

if [ "$forge" = GitLab ]; then
  [ -n "${CI_MERGE_REQUEST_IID:-}" ] || give_up 'this is not a merge request pipeline'
  list=$api/merge_requests/$CI_MERGE_REQUEST_IID/notes
  one=$list
else
  number=${PULL_REQUEST:-}
  if [ -z "$number" ] && [ -f "${GITHUB_EVENT_PATH:-}" ]; then
    number=$(jq -r '.pull_request.number // empty' "$GITHUB_EVENT_PATH") || number=
  fi
  [ -n "$number" ] || give_up 'this job has no pull request; PULL_REQUEST gives its number'
  list=$api/issues/$number/comments
  one=$api/issues/comments
fi

id=
page=1
[ "${COMMENT:-}" = new ] || read_login "${COMMENT_LOGIN:-github-actions[bot]}"
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

# shellcheck disable=SC2016 # a filter of jq
if [ -n "$id" ]; then
  write_text "$file" "$update" "$one/$id" '{body: $text}'
else
  write_text "$file" POST "$list" '{body: $text}'
fi
case $status in
  200 | 201) printf 'comment: %s\n' "$(jq -r '.html_url // "written"' "$dir/answer" 2>/dev/null || echo written)" ;;
  *) give_up "$(why)" ;;
esac
