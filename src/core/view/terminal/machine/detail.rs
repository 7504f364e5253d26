//! The detail of one Machine: status, config in fly.toml syntax, checks, events and its record in the state.

use std::fmt;

use crate::core::fleet::{GroupName, MachineConfig, MachineId, VolumeId, diff};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::machine::MachineView;
use crate::core::view::style::{Label, Style};
use crate::core::view::terminal::config_diff;
use crate::core::view::terminal::status::cells::{self, remarks, state_label};
use crate::core::view::toml_diff::TomlForms;

/// Maximum events shown.
const MAX_EVENTS: usize = 10;

/// Writes everything about one Machine.
pub fn detail(view: &MachineView, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    head(view, page)?;
    facts(view, page)?;
    if let Some(config) = &view.config {
        title("Config", page)?;
        // The difference from an empty config is the config, with secrets hidden.
        let fields = diff::diff_configs(&MachineConfig::default(), config);
        config_diff::render_values(&group(view), &fields, 2, page)?;
    }
    checks(view, page)?;
    events(view, page)?;
    if !view.drift.is_empty() {
        title("Drift: changed outside Aeroform since the last apply", page)?;
        config_diff::render_diff(&group(view), TomlForms::default(), &view.drift, 4, page)?;
    }
    Ok(())
}

/// The group for which fields are written as in fly.toml.
fn group(view: &MachineView) -> GroupName {
    let own = view.status.group.clone();
    own.unwrap_or_else(|| GroupName::new("app").expect("`app` is a valid name"))
}

fn title(text: &str, page: &mut LineWriter<'_>) -> fmt::Result {
    page.blank()?;
    page.line(&Line::new(0).push(Label::Strong, text))
}

fn head(view: &MachineView, page: &mut LineWriter<'_>) -> fmt::Result {
    let status = &view.status;
    let mut line = Line::new(0)
        .push(Label::Strong, status.id.as_str())
        .plain("  ")
        .plain(status.group.as_ref().map_or("no group", |g| g.as_str()))
        .push(Label::Dim, format!("  {}  ", status.region))
        .push(state_label(status.state), status.state.as_str());
    if status.standby {
        line.add(Label::Dim, "  † standby");
    }
    page.line(&line)?;
    let mut line = Line::new(2);
    for (at, (label, text)) in remarks(status).into_iter().enumerate() {
        if at > 0 {
            line.add(Label::Dim, " · ");
        }
        line.add(label, text);
    }
    if line.is_empty() {
        return Ok(());
    }
    page.line(&line)
}

fn facts(view: &MachineView, page: &mut LineWriter<'_>) -> fmt::Result {
    let status = &view.status;
    let ids = |ids: &[MachineId]| {
        let all: Vec<&str> = ids.iter().map(MachineId::as_str).collect();
        all.join(" ")
    };
    let volumes = |ids: &[VolumeId]| {
        let all: Vec<&str> = ids.iter().map(VolumeId::as_str).collect();
        all.join(" ")
    };
    let release = status.release.map_or_else(String::new, |n| format!("v{n}"));
    let state = match &view.known {
        None => "not in the state".to_owned(),
        Some(known) => {
            let mut parts = vec![format!("group {}, config {}", known.group, known.config)];
            if let Some(launch) = &known.launch {
                parts.push(format!("launch {launch}"));
            }
            if let Some(old) = &known.replaces {
                parts.push(format!("replaces {old}"));
            }
            if let Some(region) = &known.requested_region {
                parts.push(format!("requested region {region}"));
            }
            if known.unproven {
                parts.push("not seen healthy yet".to_owned());
            }
            parts.join(" · ")
        }
    };
    let rows = [
        ("name", status.name.to_string()),
        ("release", release),
        ("size", status.size.clone().unwrap_or_default()),
        ("image", status.image.clone().unwrap_or_default()),
        ("address", status.address.clone().unwrap_or_default()),
        (
            "pid",
            status.pid.map_or_else(String::new, |pid| pid.to_string()),
        ),
        ("volumes", volumes(&status.volumes)),
        ("standby for", ids(&view.standby_for)),
        ("created", status.created_at.clone()),
        ("state file", state),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let line = Line::new(2)
            .hang(18)
            .push(Label::Dim, *name)
            .pad_to_column(18)
            .plain(value);
        page.line(&line)?;
    }
    Ok(())
}

fn checks(view: &MachineView, page: &mut LineWriter<'_>) -> fmt::Result {
    let current = cells::current_checks(&view.status);
    if current.is_empty() {
        return Ok(());
    }
    title("Checks", page)?;
    for check in current {
        let label = cells::check_label(check.status);
        let line = Line::new(2)
            .hang(4)
            .push(label, check.status.as_str())
            .plain(format!("  {}", check.name))
            .push(Label::Dim, format!("  {}", check.updated_at));
        page.line(&line)?;
        if !check.output.is_empty() {
            page.line(&Line::new(4).push(Label::Dim, &check.output))?;
        }
    }
    Ok(())
}

fn events(view: &MachineView, page: &mut LineWriter<'_>) -> fmt::Result {
    if view.events.is_empty() {
        return Ok(());
    }
    title("Events, newest first", page)?;
    let most = if page.style.verbose {
        usize::MAX
    } else {
        MAX_EVENTS
    };
    for event in view.events.iter().take(most) {
        let mut line = Line::new(2)
            .hang(4)
            .push(Label::Dim, &event.at)
            .plain(format!("  {} → {}", event.kind, event.status))
            .push(Label::Dim, format!("  by {}", event.source));
        if let Some(info) = &event.info {
            line.add(Label::Change, format!("  {info}"));
        }
        page.line(&line)?;
    }
    Ok(())
}
