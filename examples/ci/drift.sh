#!/bin/sh
# drift.sh [OPTION…]: runs `aeroform [OPTION…] drift` and keeps one issue for its app. Drift opens the issue, updates it
# in place, or reopens it; without drift it is closed with a word. For a job on a schedule.
#
#   exit of `drift`   the issue                      exit of this script
#   0  no drift       closed, if it is open          0
#   2  drift          opened, updated or reopened    0
#   5  a run is       stays as it is                 0, and says who holds the lock
#      under way
#   any other         stays as it is                 the same: nobody could tell
#
# An issue that cannot be written ends with 1. An issue that was closed as not planned stays closed as long as the drift
# is the same.
#
# Needs sh, curl, jq and aeroform, and forge.sh beside it. Texts and tokens go from file to file, never through an argument.
#
# GitHub   GITHUB_TOKEN        needs the permission `issues: write`
#          ISSUE_LOGIN         the token's own login (github-actions[bot])
# GitLab   AEROFORM_NOTE_TOKEN a project access token with the scope `api` and the role Reporter
# Both     ISSUE=new           opens a new issue instead of the closed one
#
# shellcheck disable=SC1090,SC2034,SC2154 # forge.sh is beside it
set -u
umask 077

give_up() {
  warn "the issue was not updated: $1" error
  exit 1
}
shared=$(dirname "$0")/forge.sh
if [ ! -f "$shared" ]; then
  echo "error: there is no $shared; copy it with drift.sh" >&2
  exit 1
fi
. "$shared"

writes=issues
open_forge 'permissions: issues: write' 'a project access token with the scope api and the role Reporter'
trap 'exit 1' HUP INT TERM

report=$dir/drift.md
code=0
# The tokens of the forge are not for aeroform.
(
  unset GITHUB_TOKEN AEROFORM_NOTE_TOKEN
  aeroform "$@" drift --detailed-exitcode --also markdown="$report"
) 2>"$dir/said" || code=$?
cat "$dir/said" >&2
if [ -s "$report" ] && [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
  cat "$report" >>"$GITHUB_STEP_SUMMARY"
fi

# What aeroform said, on one line of a workflow command.
said() {
  awk '{ gsub(/%/, "%25"); gsub(/\r/, "%0D"); printf "%s%s", between, $0; between = "%0A" }' "$dir/said"
}
case $code in
  0 | 2) ;;
  5)
    if [ "${GITHUB_ACTIONS:-}" = true ]; then
      warn "the issue stays as it is: $(said)" notice
    else
      echo 'a run is under way: the issue stays as it is'
    fi
    exit 0
    ;;
  *)
    warn "drift ended with $code, and not with an answer: the issue stays as it is" error
    exit "$code"
    ;;
esac
read_marker "$report"
read_login "${ISSUE_LOGIN:-github-actions[bot]}"

if [ "$forge" = GitLab ]; then
  number=.iid
  body=.description
  opened=opened
  list="$api/issues?scope=all&author_id=$user&order_by=created_at&sort=desc"
else
  number=.number
  body=.body
  opened=open
  list="$api/issues?creator=$(jq -nr --arg login "$login" '$login | @uri')&sort=created&direction=desc"
fi

# find_issue STATE: our newest issue in this state, in $issue, and why it is closed, in $reason.
find_issue() {
  page=1 issue='' reason=''
  while [ -z "$issue" ]; do
    call GET "$list&state=$1&per_page=100&page=$page" --retry 2
    # Without the whole list, a new issue could be the second one.
    [ "$status" = 200 ] || give_up "$(why)"
    # A list of GitHub has pull requests as well. The last line of a report names the state that it is about.
    jq -r --arg login "$login" --argjson ours "$ours" --rawfile now "$report" \
      "def plain: (. // \"\") | gsub(\"\\r\"; \"\") | sub(\"\\n+\$\"; \"\") | sub(\"\\n[^\\n]*\$\"; \"\");
       [.[] | select((has(\"pull_request\") | not) and $author == \$login and ($body // \"\" | $marker) == \$ours)]
       | max_by($number) // empty
       | \"\($number) \(if ($body | plain) == (\$now | plain) then .state_reason // \"other\" else \"changed\" end)\"" \
      "$dir/answer" >"$dir/found" || give_up "$forge did not send a list of issues"
    read -r issue reason <"$dir/found" || true
    [ "$(jq length "$dir/answer")" -eq 100 ] || break
    page=$((page + 1))
  done
}

# shellcheck disable=SC2016 # filters of jq
write_issue() {
  case $forge-$1 in
    GitHub-new) filter='{title: $title, body: $text}' ;;
    GitHub-same) filter='{body: $text}' ;;
    GitHub-reopen) filter='{body: $text, state: "open"}' ;;
    GitHub-close) filter='{body: $text, state: "closed", state_reason: "completed"}' ;;
    GitLab-new) filter='{title: $title, description: $text}' ;;
    GitLab-same) filter='{description: $text}' ;;
    GitLab-*) filter="{description: \$text, state_event: \"$1\"}" ;;
  esac
  if [ "$1" = new ]; then
    write_text "$report" POST "$api/issues" "$filter" --arg title "drift of $(printf '%s' "$ours" | jq -r .app)"
  else
    write_text "$report" "$update" "$api/issues/$issue" "$filter"
  fi
  case $status in
    200 | 201) ;;
    *) give_up "$(why)" ;;
  esac
  printf '%s: %s\n' "$2" "$(jq -r '.html_url // .web_url // "issue"' "$dir/answer" 2>/dev/null || echo issue)"
}

find_issue "$opened"
if [ "$code" = 0 ]; then
  if [ -z "$issue" ]; then
    echo 'no drift, and no open issue'
    exit 0
  fi
  write_issue close closed
  job=${CI_JOB_URL:-}
  [ -n "$job" ] || job="${GITHUB_SERVER_URL:-}/${GITHUB_REPOSITORY:-}/actions/runs/${GITHUB_RUN_ID:-}"
  printf 'No drift any more: the Machines are as the state says. Found by %s\n' "$job" >"$dir/word"
  if [ "$forge" = GitLab ]; then comments=notes; else comments=comments; fi
  # shellcheck disable=SC2016 # a filter of jq
  write_text "$dir/word" POST "$api/issues/$issue/$comments" '{body: $text}'
  [ "$status" = 201 ] || warn "the issue is closed, without a word: $(why)"
  exit 0
fi
if [ -n "$issue" ]; then
  write_issue same updated
  exit 0
fi
[ "${ISSUE:-}" = new ] || find_issue closed
if [ -z "$issue" ]; then
  write_issue new opened
elif [ "$reason" = not_planned ]; then
  echo "issue $issue was closed as not planned, and the drift is the same: it stays closed"
else
  write_issue reopen reopened
fi
