//! What people see.

use aeroform::core::view::terminal;
use aeroform::core::view::{Style, Tally, escape};
use insta::assert_snapshot;
use unicode_width::UnicodeWidthStr;

use crate::effort::cpu_time_of;
use crate::show::{style, tagged, written};
use crate::{gallery, runs, statuses};

#[test]
fn every_plan_reads_well_on_eighty_columns() {
    for (name, plan) in gallery::all() {
        let text = written(|out| terminal::plan(&plan, &style(80), out));
        assert_snapshot!(format!("plan__{name}"), text);
    }
}

#[test]
fn narrow_wide_and_verbose_say_the_same() {
    let plan = gallery::everything_at_once();
    for width in [40, 200] {
        let text = written(|out| terminal::plan(&plan, &style(width), out));
        assert_snapshot!(format!("width_{width}"), text);
    }
    let verbose = Style {
        verbose: true,
        ..style(100)
    };
    let text = written(|out| terminal::plan(&plan, &verbose, out));
    assert_snapshot!("verbose", text);
}

#[test]
fn colours_follow_the_labels_and_change_no_word() {
    for (name, plan) in gallery::all() {
        let plain = written(|out| terminal::plan(&plan, &style(80), out));
        let colored = Style {
            color: true,
            ..style(80)
        };
        let text = tagged(&written(|out| terminal::plan(&plan, &colored, out)));
        let without = regex_free_strip(&text);
        assert_eq!(without, plain, "{name}");
        if [
            "everything_at_once",
            "refusals_and_warnings",
            "services",
            "shrink",
        ]
        .contains(&name)
        {
            assert_snapshot!(format!("colors__{name}"), text);
        }
    }
}

#[test]
fn drift_marks_standbys_and_explains_the_mark() {
    let plans = gallery::all().into_iter();
    for (name, plan) in plans.filter(|(_, plan)| !plan.drift.is_empty()) {
        let text = written(|out| terminal::drift(&plan, &style(80), out));
        let marked = plan.drift.iter().filter(|drift| drift.standby).count();
        let legend = usize::from(marked > 0);
        assert_eq!(
            text.matches('†').count(),
            marked + legend,
            "{name}:\n{text}"
        );
        if name == "drift" {
            assert_snapshot!("drift", text);
        }
        if name == "drift_of_runs" {
            assert_snapshot!("drift_of_runs", text);
        }
    }
}

/// Takes the tags out again.
fn regex_free_strip(text: &str) -> String {
    const NAMES: [&str; 8] = [
        "/",
        "bold",
        "dim",
        "underline",
        "red",
        "green",
        "yellow",
        "cyan",
    ];
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        plain.push_str(before);
        match after.split_once('}') {
            Some((tag, tail)) if tag.split('+').all(|name| NAMES.contains(&name)) => rest = tail,
            _ => {
                plain.push('{');
                rest = after;
            }
        }
    }
    plain + rest
}

#[test]
fn no_view_breaks_its_width_or_lets_a_hazard_through() {
    for (name, plan) in gallery::all() {
        let all: Vec<usize> = (1..=60).chain([80, 120, 200, usize::MAX]).collect();
        let few = vec![1, 40, 80];
        for width in if plan.steps.len() > 100 { few } else { all } {
            let cut = Style {
                cut_words: true,
                ..style(width)
            };
            let text = written(|out| terminal::plan(&plan, &cut, out));
            for row in text.lines() {
                assert!(
                    !row.chars().any(escape::is_hazard),
                    "{name} at {width}: {row:?}"
                );
                assert!(
                    !row.trim_start().starts_with("::"),
                    "{name} at {width}: {row:?}"
                );
                assert!(!row.ends_with(' '), "{name} at {width}: {row:?}");
                // What stands in backticks is never broken.
                let fits = row.width() <= width.max(10) || row.contains('`');
                assert!(fits, "{name} at {width}: {row:?}");
            }
        }
    }
}

#[test]
fn ten_thousand_machines_fit_a_screen_and_render_in_proportion() {
    let cost = |n: usize| {
        let plan = gallery::ten_thousand(n);
        cpu_time_of(|| {
            let text = written(|out| terminal::plan(&plan, &style(80), out));
            assert!(text.lines().count() < 120, "{}", text.lines().count());
        })
    };
    let (small, large) = (cost(10_000), cost(80_000));
    // Eight times is proportion, sixty-four a square. In between lie tables that outgrow a cache.
    let limit = small * 30;
    assert!(
        large < limit,
        "10,000 cost {small:?}, 80,000 cost {large:?}"
    );
}

#[test]
fn statuses_show_what_a_person_needs() {
    for (name, view) in statuses::statuses() {
        let text = written(|out| terminal::status(&view, &style(80), out));
        assert_snapshot!(format!("status__{name}"), text);
        if view.machines.len() > 100 {
            continue;
        }
        for width in (1..=60).chain([80, 200, usize::MAX]) {
            let text = written(|out| terminal::status(&view, &style(width), out));
            assert!(
                !text.chars().any(|c| c != '\n' && escape::is_hazard(c)),
                "{name}"
            );
        }
    }
    let narrow = written(|out| terminal::status(&statuses::statuses()[1].1, &style(40), out));
    assert_snapshot!("status_width_40", narrow);
    // Where names of checks have no room, their results still have.
    let eighty = written(|out| terminal::status(&statuses::statuses()[0].1, &style(64), out));
    assert_snapshot!("status_width_64", eighty);
    // Nor does the mark of an older release get lost.
    for width in [30, 50, 64, 80] {
        let half = statuses::half_rolled_out();
        let text = written(|out| terminal::status(&half, &style(width), out));
        assert_eq!(text.matches("v2 old").count(), 1, "{text}");
    }
    let colored = Style {
        color: true,
        ..style(80)
    };
    let text = written(|out| terminal::status(&statuses::statuses()[1].1, &colored, out));
    assert_snapshot!("status_colors", tagged(&text));
}

/// Holds rule 43.
#[test]
fn every_event_is_one_line_and_says_what_it_waits_for() {
    let plan = gallery::everything_at_once();
    let mut tally = Tally::default();
    let text = written(|out| {
        for event in runs::events() {
            tally.record(&plan, &event);
            terminal::event(&plan, &event, &tally, &style(100), out)?;
        }
        Ok(())
    });
    assert_snapshot!("events", text);
}

#[test]
fn the_end_of_a_run_says_what_is_so_and_what_to_do_next() {
    for (name, run) in runs::run_ends() {
        let text = written(|out| terminal::report(&run.report(), &style(80), out));
        assert_snapshot!(format!("report__{name}"), text);
    }
}

#[test]
fn questions_name_what_goes() {
    let plan = gallery::everything_at_once();
    let questions = aeroform::core::plan::required_approval(&plan);
    let text = written(|out| {
        for typed in &questions.typed {
            terminal::question(typed, &style(80), out)?;
            writeln!(out, "{}: ", terminal::prompt(typed))?;
        }
        Ok(())
    });
    assert_snapshot!("questions", text);
}
