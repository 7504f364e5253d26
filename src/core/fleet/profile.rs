//! Properties of each provider that plans, manifests and views depend on. A new provider is one row; no code
//! compares provider names.

/// The kind of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// The Fly Machines API.
    Fly,
    /// Processes on this computer.
    Local,
    /// An unknown provider.
    Other,
}

/// The profile of one provider.
#[derive(Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent columns of a table, not a state machine"
)]
pub struct ProviderProfile {
    /// Its name in manifests and states.
    pub name: &'static str,
    /// Its kind.
    pub kind: ProviderKind,
    /// What its Machines are, for people.
    pub machine_description: &'static str,
    /// What choosing it means for a new aeroform.toml, for people.
    pub init_description: &'static str,
    /// Machines and volumes have a price.
    pub has_prices: bool,
    /// The default region.
    pub default_region: Option<&'static str>,
    /// Machines run images; else they run local commands, which `[groups.NAME.local]` may set.
    pub runs_images: bool,
    /// Creating a Machine requires an image.
    pub needs_image: bool,
    /// Groups share the external ports of the app.
    pub shares_ports: bool,
    /// Fly's sizes and regions apply to it.
    pub has_fly_sizes: bool,
    /// Mounts are volumes, which the plan selects or creates.
    pub has_volumes: bool,
    /// `fly deploy` manages the same app and registers releases.
    pub deployed_by_flyctl: bool,
    /// Its state belongs to one computer; else all users of the app share it.
    pub state_is_local: bool,
}

/// Fly.
pub const FLY: ProviderProfile = ProviderProfile {
    name: "fly",
    kind: ProviderKind::Fly,
    machine_description: "Fly Machines",
    init_description: "Machines of the app on Fly: counts stay as they are there",
    has_prices: true,
    default_region: None,
    runs_images: true,
    needs_image: true,
    shares_ports: true,
    has_fly_sizes: true,
    has_volumes: true,
    deployed_by_flyctl: true,
    state_is_local: false,
};

/// This computer's processes.
pub const LOCAL: ProviderProfile = ProviderProfile {
    name: "local",
    kind: ProviderKind::Local,
    machine_description: "processes of this computer",
    init_description: "processes of this computer: counts are written",
    has_prices: false,
    // Regions are only names here, but every Machine has one.
    default_region: Some("local"),
    runs_images: false,
    needs_image: false,
    shares_ports: false,
    has_fly_sizes: false,
    has_volumes: false,
    deployed_by_flyctl: false,
    state_is_local: true,
};

/// An unknown provider, without any assumptions.
const OTHER: ProviderProfile = ProviderProfile {
    name: "",
    kind: ProviderKind::Other,
    machine_description: "",
    init_description: "",
    has_prices: false,
    default_region: None,
    runs_images: true,
    needs_image: false,
    shares_ports: true,
    has_fly_sizes: false,
    has_volumes: false,
    deployed_by_flyctl: true,
    state_is_local: false,
};

/// The providers that manifests may name.
pub static PROVIDERS: [ProviderProfile; 2] = [FLY, LOCAL];

/// Their names.
pub fn provider_names() -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().map(|profile| profile.name)
}

/// The profile for this name.
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
