//! `[[metrics]]` and `[[statics]]`: scraped metrics and static files.

use crate::core::fleet::schema::{Metrics, Static};

use super::super::fields::Fields;
use super::group_scope::GroupScoped;
use super::plain_keys;

/// Reads `metric` and `metrics`, the singular entries first.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Vec<GroupScoped<Metrics>> {
    let tables = fields.collect_tables(&["metric"], "metrics");
    let entries = tables.into_iter().map(|mut table| {
        let metrics = plain_keys::read(&mut table);
        let section = GroupScoped::of(&mut table, metrics);
        table.report_unknown_keys();
        section
    });
    entries.collect()
}

/// Reads `[[statics]]`.
pub(super) fn statics(fields: &mut Fields<'_, '_>) -> Vec<Static> {
    let entries = fields.tables("statics").into_iter().map(|mut table| {
        let entry = plain_keys::read(&mut table);
        table.report_unknown_keys();
        entry
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

    #[test]
    fn one_table_and_a_list_of_them_are_both_read() {
        let (one, _) = fly_fields("[metrics]\nport = 9091\npath = \"/m\"\n", read);
        let (two, _) = fly_fields("[[metrics]]\nport = 1\n[[metrics]]\nport = 2\n", read);
        assert_eq!((one.len(), two.len()), (1, 2));
        assert_eq!(one[0].body.port, Some(9091));
    }
}
