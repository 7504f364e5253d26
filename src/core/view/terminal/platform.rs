//! Fly's VM sizes and regions as tables.

use std::fmt;

use crate::core::platform::sizes::{self, CpuKind};
use crate::core::platform::{PRICES_AS_OF, REGIONS_AS_OF, SIZES_AS_OF, regions};
use crate::core::view::json::platform::{PRICE_REGION, monthly_cents};
use crate::core::view::line::{Line, LineWriter, display_width};
use crate::core::view::phrases;
use crate::core::view::style::{Label, Style};

/// Writes the sizes on sale.
pub fn vm_sizes(style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    let sold = sizes::all().filter(|size| size.gpu.is_none());
    let rows = sold.map(|size| {
        let price = monthly_cents(size).map_or_else(|| "-".to_owned(), phrases::format_dollars);
        [
            size.name.to_owned(),
            format!("{} {}", size.cpus, size.kind.as_str()),
            sizes::format_memory(size.memory_mb),
            sizes::format_memory(size.max_memory_mb()),
            price,
        ]
    });
    let month = format!("A MONTH IN {}", PRICE_REGION.to_uppercase());
    table(["SIZE", "CPUS", "MEMORY", "MAX MEMORY", &month], rows, page)?;
    let step = |kind| sizes::format_memory(sizes::rules_for(kind).step_mb);
    let text = format!(
        "Memory comes in steps of {} (shared) and {} (performance), as of {SIZES_AS_OF}. Prices are for the \
         smallest memory, always running, as of {PRICES_AS_OF}; - is unknown.",
        step(CpuKind::Shared),
        step(CpuKind::Performance)
    );
    page.line(&Line::new(0).hang(0).push(Label::Dim, text))
}

/// Writes the regions, retired ones last.
pub fn regions(style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    let rows = regions::all().map(|region| {
        let ratio = region.price_ratio();
        [
            region.code.to_owned(),
            region.name.to_owned(),
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
            if region.retired { "retired" } else { "" }.to_owned(),
        ]
    });
    table(["REGION", "LOCATION", "PRICE", ""], rows, page)?;
    let text = format!(
        "Prices are relative to {PRICE_REGION}, as of {PRICES_AS_OF}; - is unknown. Retired regions are not on Fly's \
         list of {REGIONS_AS_OF}."
    );
    page.line(&Line::new(0).hang(0).push(Label::Dim, text))
}

/// Writes a table, and an empty line.
pub(super) fn table<const N: usize>(
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let rows: Vec<[String; N]> = rows.collect();
    let mut widths = heads.map(display_width);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(display_width(cell));
        }
    }
    let line = |label: Label, cells: &[String; N]| {
        let mut line = Line::new(0);
        let mut column = 0;
        for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
            // No padding after the last cell.
            if !cell.is_empty() {
                line = line.pad_to_column(column);
            }
            line.add(
                if at == 0 && label == Label::Plain {
                    Label::Strong
                } else {
                    label
                },
                cell,
            );
            column += width + 2;
        }
        line
    };
    page.line(&line(Label::Dim, &heads.map(str::to_owned)))?;
    for row in &rows {
        page.line(&line(Label::Plain, row))?;
    }
    page.blank()
}
