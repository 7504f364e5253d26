//! What each provider is like, as far as plans, manifests and views depend on it. A new provider is one row, and
//! nobody compares names.

/// Who carries out what is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// The Fly Machines API.
    Fly,
    /// Processes of this computer.
    Local,
    /// Nobody that is known here.
    Other,
}

/// One provider.
#[derive(Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent columns of a table, not a state machine"
)]
pub struct ProviderProfile {
    /// Its name, as manifests and states have it.
    pub name: &'static str,
    /// Who it is.
    pub kind: ProviderKind,
    /// What its Machines are, for people.
    pub what: &'static str,
    /// What choosing it means for a new aeroform.toml, for people.
    pub beginning: &'static str,
    /// Machines and volumes have a price.
    pub prices: bool,
    /// The region where nobody names one.
    pub default_region: Option<&'static str>,
    /// Machines run images; else they run commands of this computer, which `[groups.NAME.local]` may name.
    pub runs_images: bool,
    /// A Machine cannot be made without an image.
    pub needs_image: bool,
    /// Groups share the external ports of the app.
    pub shares_ports: bool,
    /// Fly's sizes and regions hold for it.
    pub sizes: bool,
    /// Mounts are volumes, which are chosen or made.
    pub volumes: bool,
    /// `fly deploy` works on the same app and registers releases.
    pub deployed_by_flyctl: bool,
    /// Its state belongs to one computer; else to whoever works on the app.
    pub state_of_one_computer: bool,
}

/// Fly.
pub const FLY: ProviderProfile = ProviderProfile {
    name: "fly",
    kind: ProviderKind::Fly,
    what: "Fly Machines",
    beginning: "Machines of the app on Fly: counts stay as they are there",
    prices: true,
    default_region: None,
    runs_images: true,
    needs_image: true,
    shares_ports: true,
    sizes: true,
    volumes: true,
    deployed_by_flyctl: true,
    state_of_one_computer: false,
};

/// This computer.
pub const LOCAL: ProviderProfile = ProviderProfile {
    name: "local",
    kind: ProviderKind::Local,
    what: "processes of this computer",
    beginning: "processes of this computer: counts are written",
    prices: false,
    // Regions are only names on one computer, and each Machine is somewhere.
    default_region: Some("local"),
    runs_images: false,
    needs_image: false,
    shares_ports: false,
    sizes: false,
    volumes: false,
    deployed_by_flyctl: false,
    state_of_one_computer: true,
};

/// One that is not known here: nothing is taken for granted.
const OTHER: ProviderProfile = ProviderProfile {
    name: "",
    kind: ProviderKind::Other,
    what: "",
    beginning: "",
    prices: false,
    default_region: None,
    runs_images: true,
    needs_image: false,
    shares_ports: true,
    sizes: false,
    volumes: false,
    deployed_by_flyctl: true,
    state_of_one_computer: false,
};

/// Those that manifests may name.
pub static PROVIDERS: [ProviderProfile; 2] = [FLY, LOCAL];

/// Their names.
pub fn provider_names() -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().map(|profile| profile.name)
}

/// The provider of this name.
pub fn profile(name: &str) -> &'static ProviderProfile {
    static UNKNOWN: ProviderProfile = OTHER;
    let mut all = PROVIDERS.iter();
    all.find(|profile| profile.name == name).unwrap_or(&UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_found_by_its_name_and_another_is_none_of_them() {
        assert_eq!(profile("fly"), &FLY);
        assert_eq!(profile("local"), &LOCAL);
        assert_eq!(profile("flyy").kind, ProviderKind::Other);
        assert_eq!(provider_names().collect::<Vec<_>>(), ["fly", "local"]);
    }
}
