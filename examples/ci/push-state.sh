#!/bin/sh
# push-state.sh BRANCH FILE [OPTION…]: publishes FILE, the state that `aeroform [OPTION…] apply` wrote into this checkout,
# as a commit on BRANCH of origin. Nothing happens where the state has not changed.
#
# FILE is a path from the top folder of the checkout, where this script runs. Only that file is committed: never the lock
# beside it. If the branch moved meanwhile, `aeroform state push` compares its state with ours, and the commit is made
# again on its new head, at most five times. A state of another run is never overwritten.
#
# The checkout moves to the head of BRANCH. Needs sh, git and aeroform.
set -eu

branch=$1
file=$2
shift 2
head=refs/heads/$branch

if [ -z "$(git status --porcelain --untracked-files=all -- "$file")" ]; then
  echo "$file has not changed: nothing to publish"
  exit 0
fi
applied=$(git rev-parse --short HEAD)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp "$file" "$folder/state.json"
if git ls-files --error-unmatch -- "$file" >/dev/null 2>&1; then
  git checkout --quiet -- "$file"
else
  rm -f -- "$file"
fi

left=5
base=none
while :; do
  git fetch --quiet origin "$head"
  newest=$(git rev-parse FETCH_HEAD)
  if [ "$newest" = "$base" ]; then
    echo "error: origin refuses the push to $branch, and the state is not published; see its answer above" >&2
    echo "hint: the next apply takes over what this one did; docs/gitops.md says who may push" >&2
    exit 1
  fi
  base=$newest
  git checkout --quiet --detach "$base"
  # Somebody published it already.
  if [ -f "$file" ] && cmp -s "$file" "$folder/state.json"; then
    echo "$file of $branch is this state"
    exit 0
  fi
  aeroform "$@" state push "$folder/state.json"
  git add -- "$file"
  git -c user.name=aeroform -c user.email=aeroform@localhost \
    commit --quiet -m "state after applying $applied [skip ci]" -- "$file"
  if git push --quiet origin "HEAD:$head"; then
    echo "$file is published on $branch"
    exit 0
  fi
  left=$((left - 1))
  [ "$left" -gt 0 ] || break
  sleep 1
done
echo "error: $branch moved before each of five pushes, and the state is not published" >&2
exit 1
