//! The copy that is kept of a state that its store refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use aeroform::store::write_copy;

#[test]
fn a_copy_is_for_its_owner_alone_and_never_replaces_another() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let first = write_copy(&dir, "shop.unpublished.json", "one").unwrap();
    let second = write_copy(&dir, "shop.unpublished.json", "two").unwrap();
    assert_ne!(first, second);
    assert_eq!(fs::read_to_string(&first).unwrap(), "one");
    assert_eq!(fs::read_to_string(&second).unwrap(), "two");
    let mode = fs::metadata(&first).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_copy_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    fs::write(&file, "a file").unwrap();
    assert!(write_copy(&file, "shop.json", "one").is_err());
}
