//! What an edit of the manifests is judged by, without the engine's own eyes: what is wanted afterwards, and
//! what of the texts may have changed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use aeroform::core::fleet::{Count, Desired, GroupLocations, GroupName, Regions};
use aeroform::core::manifest::edit::{Edit, MachineSize};
use toml_parser::lexer::TokenKind;

/// What one group is without where that is written.
pub(crate) fn normalized(mut desired: Desired) -> Desired {
    desired.definition = None;
    for group in desired.groups.values_mut() {
        group.locations = GroupLocations::default();
    }
    for moved in &mut desired.moved {
        moved.location.clear();
    }
    desired
}

/// Everything outside the edit is desired as before, and the edited part as requested.
pub(crate) fn assert_edit_is_exact(before: &Desired, after: &Desired, edited: &Edit) {
    let (before, after) = (normalized(before.clone()), normalized(after.clone()));
    let touched: Vec<&GroupName> = match edited {
        Edit::Layout { group, .. }
        | Edit::Regions { group, .. }
        | Edit::AddGroup { group, .. }
        | Edit::RemoveGroup { group }
        | Edit::Size { group, .. } => vec![group],
        Edit::RenameGroup { from, to } => vec![from, to],
        Edit::MoveMachine { .. } | Edit::RemoveMachine { .. } | Edit::State(_) | Edit::Hold(_) => {
            Vec::new()
        }
    };
    let others = |desired: &Desired| {
        let mut groups = desired.groups.clone();
        groups.retain(|name, _| !touched.contains(&name));
        groups
    };
    assert_eq!(others(&before), others(&after));
    assert_eq!((&before.app, &before.policy), (&after.app, &after.policy));
    match edited {
        Edit::Layout { group, layout } => {
            let mut map = layout.regions.clone();
            map.retain(|_, n| *n > 0);
            let group = &after.groups[group];
            assert_eq!(group.count, Count::Written(map.values().sum()));
            if !map.is_empty() {
                assert_eq!(group.regions, Regions::Exact(map));
            }
        }
        Edit::Regions { group, regions, .. } => {
            assert_eq!(after.groups[group].regions, Regions::List(regions.clone()));
        }
        Edit::AddGroup { group, command, .. } => {
            assert_eq!(after.groups[group].command.as_ref(), Some(command));
        }
        Edit::RenameGroup { from, to } => {
            let (old, new) = (&before.groups[from], &after.groups[to]);
            assert!(!after.groups.contains_key(from));
            assert_eq!((&old.command, old.count), (&new.command, new.count));
            assert_eq!(old.template.services, new.template.services);
            assert_eq!(old.template.guest, new.template.guest);
            assert!(after.moved.iter().any(|m| m.from == *from && m.to == *to));
        }
        Edit::RemoveGroup { group } => assert!(!after.groups.contains_key(group)),
        Edit::Size { group, size } => {
            let (old, new) = (&before.groups[group], &after.groups[group]);
            let guest = new.template.guest.as_ref().unwrap();
            assert_eq!(MachineSize::from_guest(guest).as_ref(), Some(size));
            assert_eq!((old.count, &old.regions), (new.count, &new.regions));
        }
        Edit::MoveMachine { machine, to } => {
            let moved = after.moved_machines.iter().find(|m| m.machine == *machine);
            assert_eq!(&moved.unwrap().to, to);
        }
        Edit::RemoveMachine { machine } => assert!(after.removed_machines.contains(machine)),
        // A setting: what is wanted stays. A first aeroform.toml names the provider.
        Edit::State(_) => {
            let named = Desired {
                provider_from_flag: after.provider_from_flag,
                ..before.clone()
            };
            assert_eq!(named, after);
        }
        Edit::Hold(hold) => {
            let expected = Desired {
                provider_from_flag: after.provider_from_flag,
                hold: hold.clone(),
                ..before.clone()
            };
            assert_eq!(expected, after);
        }
    }
}

/// A comment, and whether it is inside of an inline table, which may span lines.
type Comment = (String, bool);

/// The words of a text and its comments, each in its order.
fn read(text: &str) -> (Vec<String>, Vec<Comment>) {
    let (mut words, mut comments, mut depth) = (Vec::new(), Vec::new(), 0_usize);
    let source = toml_parser::Source::new(text);
    for token in source.lex() {
        let said = &text[token.span().start()..token.span().end()];
        match token.kind() {
            TokenKind::Comment => comments.push((said.trim_end().to_owned(), depth > 0)),
            TokenKind::LeftCurlyBracket => depth += 1,
            TokenKind::RightCurlyBracket => depth = depth.saturating_sub(1),
            // A quote inside of a string is a part of the word.
            TokenKind::LiteralString => words.push(within(said, "'")),
            TokenKind::BasicString => words.push(within(said, "\"")),
            TokenKind::MlLiteralString => words.push(within(said, "'''")),
            TokenKind::MlBasicString => words.push(within(said, "\"\"\"")),
            TokenKind::Atom => words.push(said.to_owned()),
            _ => {}
        }
    }
    (words, comments)
}

fn within(said: &str, quote: &str) -> String {
    let inner = said
        .strip_prefix(quote)
        .and_then(|said| said.strip_suffix(quote));
    inner.unwrap_or(said).to_owned()
}

/// Which words an edit may take away or put elsewhere.
fn is_edited_word(word: &str, before: &Desired, edited: &Edit) -> bool {
    let one_of = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    let is_group = before.groups.keys().any(|name| name.as_str() == word);
    match edited {
        Edit::Layout { group, .. } | Edit::Regions { group, .. } => {
            let is_region = match before.groups.get(group).map(|group| &group.regions) {
                None | Some(Regions::Unwritten) => false,
                Some(Regions::List(list)) => list.iter().any(|region| region.as_str() == word),
                Some(Regions::Exact(map)) => map.keys().any(|region| region.as_str() == word),
            };
            is_region || word == group.as_str() || one_of(&["groups", "count", "regions"])
        }
        Edit::Size { group, .. } => {
            let keys = [
                "size",
                "memory",
                "memory_mb",
                "cpu_kind",
                "cpus",
                "processes",
            ];
            // An amount, or a size by its name.
            let is_value = word.starts_with(|c: char| c.is_ascii_digit())
                || word.starts_with("shared")
                || word.starts_with("performance");
            is_value || word == group.as_str() || one_of(&keys) || one_of(&["vm"])
        }
        // What was said of the new name before goes, whichever group that went to.
        Edit::RenameGroup { from, to } => {
            let went = before.moved.iter().find(|moved| moved.from == *to);
            let names = [Some(from), Some(to), went.map(|moved| &moved.to)];
            let is_name = names.iter().flatten().any(|name| name.as_str() == word);
            is_name || one_of(&["moved", "from", "to"])
        }
        // It is defined again, and nothing is renamed from it any more.
        Edit::AddGroup { group, .. } => {
            let went = before.moved.iter().find(|moved| moved.from == *group);
            let names = [Some(group), went.map(|moved| &moved.to)];
            let is_name = names.iter().flatten().any(|name| name.as_str() == word);
            went.is_some() && (is_name || one_of(&["moved", "from", "to"]))
        }
        // What goes with a group is its whole sections; what was said of the state before is any text.
        Edit::RemoveGroup { .. } | Edit::State(_) | Edit::Hold(_) => true,
        // What was said of that Machine before goes, whichever group it named.
        Edit::MoveMachine { machine, .. } | Edit::RemoveMachine { machine } => {
            let keys = ["machine", "moved", "removed", "to"];
            one_of(&keys) || is_group || word == machine.as_str()
        }
    }
}

/// Whether a comment is about an item of a list that has a line to itself, and goes.
fn comment_follows(before: &str, after: &str, comment: &str) -> bool {
    let line = before
        .lines()
        .find(|line| line.trim_end().ends_with(comment));
    let item = line.and_then(|line| line.trim_end().strip_suffix(comment));
    let item = item.map(str::trim).unwrap_or_default();
    let lines = |text: &str| {
        text.lines()
            .filter(|line| line.trim().starts_with(item))
            .count()
    };
    item.starts_with(['"', '\'', '{']) && lines(after) < lines(before)
}

/// Words go only where they say what is edited; comments stay; lines end as they did.
pub(crate) fn assert_only_edit_changed(before: &str, after: &str, target: &Desired, edited: &Edit) {
    let (words, comments) = read(before);
    let (words_after, comments_after) = read(after);
    let stays = |word: &&String| {
        word.contains(char::is_alphabetic) && !is_edited_word(word, target, edited)
    };
    let mut there = words_after.iter();
    for word in words.iter().filter(stays) {
        assert!(
            there.any(|other| other == word),
            "{word:?} goes for {edited:?}\n{before}\n---\n{after}"
        );
    }
    if !matches!(edited, Edit::RemoveGroup { .. }) {
        let mut there = comments_after.iter();
        // An entry of `moved` or `removed` that goes takes the comments inside of it along.
        let takes_entries = matches!(
            edited,
            Edit::AddGroup { .. }
                | Edit::RenameGroup { .. }
                | Edit::MoveMachine { .. }
                | Edit::RemoveMachine { .. }
        );
        for (comment, is_inside) in &comments {
            if *is_inside && takes_entries || comment_follows(before, after, comment) {
                continue;
            }
            assert!(
                there.any(|(other, _)| other == comment),
                "{comment:?} goes for {edited:?}\n{before}\n---\n{after}"
            );
        }
    }
    assert_eq!(
        before.starts_with('\u{feff}'),
        after.starts_with('\u{feff}')
    );
    let line_ends = |text: &str| (text.matches("\r\n").count(), text.matches('\n').count());
    match (line_ends(before), line_ends(after)) {
        // Every line ended so, and does.
        ((old, all), (new, now)) if old == all && all > 0 => assert_eq!(new, now, "{after:?}"),
        ((0, all), (new, _)) if all > 0 => assert_eq!(new, 0, "{after:?}"),
        _ => {}
    }
}
