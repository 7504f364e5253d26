//! The scope of an app: its id, and its first port.
//!
//! Created on first use, under a lock of the root folder, so that concurrent first uses agree and two apps
//! share no block of ports while there are free ones.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout::{
    AppDir, Durability, make_dir, open_private, random_hex, read_json, write_json,
};
use crate::core::fleet::Lineage;

/// The first port of the first app, unless configured.
pub(super) const FIRST_PORT: u16 = 8100;
/// The distance between the first ports of two apps. An app with more Machines uses the next block, and used
/// ports are skipped.
const PORT_BLOCK: u16 = 100;

/// The content of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Scope {
    /// The id; becomes the lineage.
    pub(super) id: Lineage,
    /// The app's first port.
    pub(super) port_base: u16,
}

/// Loads the scope of this app or creates it atomically; the first app's ports begin at `first_port`.
pub(super) fn load_or_create(root: &Path, app: &AppDir, first_port: u16) -> io::Result<Scope> {
    if let Some(scope) = read_json(&app.scope())? {
        return Ok(scope);
    }
    make_dir(&app.path().join("machines"))?;
    let lock = open_private(&root.join("lock"))?;
    lock.lock()?;
    if let Some(scope) = read_json(&app.scope())? {
        return Ok(scope);
    }
    let id = format!("local-{}", random_hex::<10>()?);
    let scope = Scope {
        id: Lineage::new(id).map_err(io::Error::other)?,
        port_base: free_base(root, first_port)?,
    };
    write_json(&app.scope(), &scope, Durability::Yes)?;
    Ok(scope)
}

fn free_base(root: &Path, first: u16) -> io::Result<u16> {
    let mut used = Vec::new();
    for entry in fs::read_dir(root)? {
        if let Ok(Some(scope)) = read_json::<Scope>(&entry?.path().join("scope")) {
            used.push(scope.port_base);
        }
    }
    let free = (first..=60_000)
        .step_by(usize::from(PORT_BLOCK))
        .find(|base| !used.contains(base));
    Ok(free.unwrap_or(first))
}
