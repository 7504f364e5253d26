//! Checks of a Machine and of a service.

use super::Effect::InPlace;
use super::Owner::Deploy;
use super::config_struct;
use super::spec::{Form, PlatformDefault, SecretRule, Spelling, Toml, field};

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;

config_struct!(
    /// A top-level check (`fly.MachineCheck`) or, without `kind`, a service's check.
    Check {
        /// Time after a start in which failures are ignored; Go duration (`10s`).
        grace_period: String = field(Deploy, InPlace)
            .empty_is_absent()
            .spelling(Spelling::Clamped(0, MINUTE))
            .toml(Toml::Key("grace_period", Form::Duration)),
        /// Request headers.
        headers: Vec<Header> = field(Deploy, InPlace)
            .entry_keys(&["name"])
            .any_order()
            .toml(Toml::Key("headers", Form::Headers)),
        /// Time between two runs; Go duration.
        interval: String = field(Deploy, InPlace)
            .empty_is_absent()
            .spelling(Spelling::Clamped(SECOND, MINUTE))
            .toml(Toml::Key("interval", Form::Duration)),
        /// `informational` or `readiness`.
        kind: String = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Text("informational")),
        /// HTTP method.
        method: String = field(Deploy, InPlace)
            .empty_is_absent()
            .spelling(Spelling::AnyCase)
            .default(PlatformDefault::Text("GET"))
            .toml(Toml::Key("method", Form::Plain)),
        /// HTTP path.
        path: String = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("path", Form::Plain)),
        /// Port; the default of a service check is the service's internal port.
        port: u16 = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::OfService("internal_port"))
            .toml(Toml::Key("port", Form::Plain)),
        /// `http` or `https`.
        protocol: String = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Text("http"))
            .toml(Toml::Key("protocol", Form::Plain)),
        /// Timeout of one run; Go duration.
        timeout: String = field(Deploy, InPlace)
            .empty_is_absent()
            .spelling(Spelling::Clamped(SECOND, MINUTE))
            .toml(Toml::Key("timeout", Form::Duration)),
        /// TLS server name.
        tls_server_name: String = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("tls_server_name", Form::Plain)),
        /// Accept any certificate.
        tls_skip_verify: bool = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("tls_skip_verify", Form::Plain)),
        /// `http` or `tcp`.
        r#type: String = field(Deploy, InPlace).toml(Toml::Key("type", Form::Plain)),
    }
);
config_struct!(
    /// One request header.
    Header {
        /// Header name.
        name: String = field(Deploy, InPlace),
        /// Header values.
        values: Vec<String> = field(Deploy, InPlace).secret(SecretRule::ByName),
    }
);
