//! `[[moved]]` and `[[removed]]`.

use super::*;

#[test]
fn a_machine_that_is_named_again_is_named_once() {
    let machine = || MachineId::new("148ed599c14189").unwrap();
    let moved = |to| Edit::MoveMachine {
        machine: machine(),
        to: group(to),
    };
    let one = "[[moved]]\nmachine = \"148ed599c14189\"\nto = \"cron\"\n";
    becomes("", moved("cron"), one);
    becomes(
        one,
        moved("web"),
        "[[moved]]\nmachine = \"148ed599c14189\"\nto = \"web\"\n",
    );
    becomes(
        one,
        Edit::RemoveMachine { machine: machine() },
        "[[removed]]\nmachine = \"148ed599c14189\"\n",
    );
    becomes(
        "moved = [{ machine = \"aaa\", to = \"web\" }]\n",
        moved("cron"),
        "moved = [{ machine = \"aaa\", to = \"web\" }, { machine = \"148ed599c14189\", to = \"cron\" }]\n",
    );
    becomes(
        "moved = [\n  { machine = \"aaa\", to = \"web\" }, # first\n  { machine = \"148ed599c14189\", to = \"web\" }, # second\n]\n",
        moved("cron"),
        "moved = [\n  { machine = \"aaa\", to = \"web\" }, # first\n  { machine = \"148ed599c14189\", to = \"cron\" },\n]\n",
    );
}
