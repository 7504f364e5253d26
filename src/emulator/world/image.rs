//! Resolves image references without a registry: a name always has the same digest until a test moves its
//! tag, and a Machine keeps the digest of its last create or update.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The `image_ref` of a Machine with this image; `moved` is the digest that a moved tag had at its create or
/// update (docs/platform/machines-api.md 16).
pub(super) fn reference(image: &str, moved: Option<&str>) -> Value {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, digest.to_owned()),
        None => (
            image,
            moved.map_or_else(|| fake_digest(image), str::to_owned),
        ),
    };
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let (path, tag) = match name[slash..].split_once(':') {
        Some((last, tag)) => (&name[..slash + last.len()], tag),
        None => (name, "latest"),
    };
    let (registry, repository) = match path.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => {
            (host, rest.to_owned())
        }
        Some(_) => (HUB, path.to_owned()),
        None => (HUB, format!("library/{path}")),
    };
    json!({
        "registry": registry, "repository": repository, "tag": tag, "digest": digest, "labels": {},
    })
}

/// The registry of names without a host.
const HUB: &str = "registry-1.docker.io";

fn fake_digest(image: &str) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(image)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        for (image, registry, repository, tag) in [
            ("registry.fly.io/shop:v7", "registry.fly.io", "shop", "v7"),
            ("nginx", HUB, "library/nginx", "latest"),
            ("me/app:1", HUB, "me/app", "1"),
            ("localhost:5000/a/b", "localhost:5000", "a/b", "latest"),
        ] {
            let found = reference(image, None);
            assert_eq!(found["registry"], registry, "{image}");
            assert_eq!(found["repository"], repository, "{image}");
            assert_eq!(found["tag"], tag, "{image}");
        }
        let digest = |image, moved| reference(image, moved)["digest"].clone();
        let pinned = "registry.fly.io/shop:v7@sha256:ab";
        assert_eq!(digest(pinned, Some("sha256:cd")), "sha256:ab");
        assert_eq!(digest("nginx", None), digest("nginx", None));
        assert_eq!(digest("nginx", Some("sha256:cd")), "sha256:cd");
    }
}
