//! `scale show`, with the columns of `fly scale show`.

use std::fmt;

use super::platform::table;
use crate::core::fleet::AppName;
use crate::core::platform::sizes;
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::scale::{GroupScale, ScaleCounts, ScaleView};
use crate::core::view::style::{Label, Style};

/// Writes a line per group; desired values follow an arrow.
pub fn scale(view: &ScaleView, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    title(&view.app, view.online, page)?;
    let heads = ["NAME", "COUNT", "KIND", "CPUS", "MEMORY", "REGIONS"];
    table(heads, view.groups.iter().map(row), page)
}

/// Writes the app's name, and whether the provider was not read.
pub(super) fn title(app: &AppName, online: bool, page: &mut LineWriter<'_>) -> fmt::Result {
    let mut title = Line::new(0).push(Label::Strong, app.as_str());
    if !online {
        title.add(Label::Dim, " · from the state only");
    }
    page.line(&title)?;
    page.blank()
}

fn row(group: &GroupScale) -> [String; 6] {
    let both = |of: &dyn Fn(&ScaleCounts) -> String| {
        let actual = of(&group.actual);
        let desired = group.desired.as_ref().map_or_else(|| actual.clone(), of);
        if actual == desired {
            actual
        } else {
            format!("{actual} → {desired}")
        }
    };
    let some = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        group.name.as_str().to_owned(),
        both(&|scale| scale.count.to_string()),
        both(&|scale| some(scale.cpu_kind.clone())),
        both(&|scale| some(scale.cpus.map(|n| n.to_string()))),
        both(&|scale| some(scale.memory_mb.map(sizes::format_memory))),
        both(&regions),
    ]
}

/// `yyz(2),ams`, as flyctl prints them.
fn regions(scale: &ScaleCounts) -> String {
    let regions = scale.regions.iter().map(|(region, n)| match n {
        1 => region.as_str().to_owned(),
        n => format!("{region}({n})"),
    });
    let regions: Vec<String> = regions.collect();
    if regions.is_empty() {
        "-".to_owned()
    } else {
        regions.join(",")
    }
}
