//! Real ends of real processes: the binary is killed, starved, hung up on and contradicted while it
//! applies, and the process table of this computer is the judge.
//!
//! Start at [`fixture`] for what is applied, at [`process_table`] for who judges, at [`kill_anywhere`] for the sweep. A
//! harness of its own runs them, since they wait far more than they work: more of them go side by side
//! than there are processors.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
#[path = "../support/clone_snapshot.rs"]
mod clone_snapshot;
#[cfg(target_os = "linux")]
mod concurrent_applies;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod fixture;
#[cfg(target_os = "linux")]
#[path = "../support/git_command.rs"]
mod git_command;
#[cfg(target_os = "linux")]
mod git_commands;
#[cfg(target_os = "linux")]
mod git_fixture;
#[cfg(target_os = "linux")]
mod kill_anywhere;
#[cfg(target_os = "linux")]
mod kill_points;
#[cfg(target_os = "linux")]
mod lost_data;
#[cfg(target_os = "linux")]
#[path = "../support/ports.rs"]
mod ports;
#[cfg(target_os = "linux")]
mod process_table;
#[cfg(target_os = "linux")]
mod run_phase;
#[cfg(target_os = "linux")]
mod signals;

/// How many tests go side by side, unless `--test-threads` says so.
#[cfg(target_os = "linux")]
const SIDE_BY_SIDE: usize = 12;

#[cfg(target_os = "linux")]
macro_rules! trials {
    ($($module:ident::$name:ident,)*) => {
        vec![$(libtest_mimic::Trial::test(
            concat!(stringify!($module), "::", stringify!($name)),
            || {
                $module::$name();
                Ok(())
            },
        )),*]
    };
}

#[cfg(target_os = "linux")]
fn main() {
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    // The longest first.
    let trials = trials![
        kill_anywhere::an_apply_killed_at_any_moment_and_repeated_leaves_exactly_the_desired_fleet,
        git_commands::an_apply_killed_at_any_git_command_holds_up_no_later_commit,
        clock::a_clock_that_steps_back_between_two_runs_changes_nothing_but_the_times_that_are_shown,
        clock::records_from_the_future_and_from_long_ago_mean_the_same,
        disk::a_disk_that_fills_up_during_an_apply_is_named_and_the_next_apply_does_the_rest,
        disk::a_full_disk_before_an_apply_is_named_and_nothing_is_changed,
        disk::a_limit_on_the_size_of_files_is_an_error_and_kills_no_machine,
        disk::a_read_only_state_is_refused_before_anything_is_done,
        disk::a_state_that_becomes_read_only_during_an_apply_is_published_from_its_copy,
        disk::a_state_that_finds_no_room_keeps_its_old_content_and_the_next_apply_publishes,
        lost_data::a_machine_whose_folder_is_removed_ends_and_is_made_again,
        lost_data::a_restart_of_the_computer_in_the_middle_of_an_apply_loses_and_doubles_nothing,
        lost_data::after_a_restart_of_the_computer_one_apply_starts_the_same_machines_again,
        lost_data::an_app_whose_folder_is_removed_is_another_app_until_a_flag_adopts_it,
        lost_data::supervisors_that_are_killed_during_an_apply_leave_no_orphan_behind_the_next,
        concurrent_applies::of_applies_at_once_one_does_the_work_and_the_others_say_why_they_did_not,
        concurrent_applies::the_lock_ends_with_its_holder_and_a_waiter_gets_it_at_once,
        signals::a_signal_before_anything_was_done_changes_nothing,
        signals::a_terminal_that_is_closed_ends_the_apply_with_its_state_written,
        signals::sigterm_to_every_process_of_a_ci_job_leaves_a_correct_state,
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// Nothing is claimed elsewhere.
#[cfg(not(target_os = "linux"))]
fn main() {}
