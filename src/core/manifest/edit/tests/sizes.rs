//! `[[vm]]` in its forms.

use super::*;

fn size(name: &str, kind: &str, cpus: u32, memory_mb: u32) -> Edit {
    Edit::Size {
        group: group(name),
        size: MachineSize {
            cpu_kind: kind.to_owned(),
            cpus,
            memory_mb,
        },
    }
}

#[test]
fn a_size_is_complete_and_for_one_group() {
    insta::assert_snapshot!(shown(WHOLE, None, size("web", "performance", 2, 4096)), @r#"
    --- fly.toml
    +++ fly.toml
    @@ -29,3 +29,9 @@
       kernel_args = ["a"]
    -  processes = ["web", "cron"]
    +  processes = ["cron"]
    +
    +[[vm]]
    +  size = "performance-2x"
    +  memory = "4gb"
    +  kernel_args = ["a"]
    +  processes = ["web"]
    "#);
    insta::assert_snapshot!(shown(WHOLE, None, size("worker", "shared", 1, 1024)), @r#"
    --- fly.toml
    +++ fly.toml
    @@ -31,2 +31,7 @@
     
    +[[vm]]
    +  size = "shared-cpu-1x"
    +  memory = "1gb"
    +  processes = ["worker"]
    +
     [[restart]]
    "#);
}

#[test]
fn a_size_is_written_in_the_form_that_is_there() {
    for (vm, edit, after) in [
        (
            "[[vm]]\nmemory = \"1gb\"\n",
            size("web", "shared", 1, 2048),
            "[[vm]]\nmemory = \"1gb\"\n\n[[vm]]\nsize = \"shared-cpu-1x\"\nmemory = \"2gb\"\nprocesses = [\"web\"]\n",
        ),
        (
            "[vm]\nmemory = \"1gb\"\ncpu_kind = \"shared\"\n",
            size("web", "shared", 1, 2048),
            "[[vm]]\nmemory = \"1gb\"\ncpu_kind = \"shared\"\n\n[[vm]]\nsize = \"shared-cpu-1x\"\nmemory = \"2gb\"\nprocesses = [\"web\"]\n",
        ),
        (
            "[[vm]]\ncpu_kind = \"performance\"\ncpus = 2\nmemory_mb = 4096\nprocesses = [\"web\"]\n",
            size("web", "performance", 2, 8192),
            "[[vm]]\ncpu_kind = \"performance\"\ncpus = 2\nmemory_mb = 8192\nprocesses = [\"web\"]\n",
        ),
        (
            "[[vm]]\nmemory = 512\nprocesses = [\"web\"]\n",
            size("web", "shared", 1, 1024),
            "[[vm]]\nmemory = 1024\nprocesses = [\"web\"]\nsize = \"shared-cpu-1x\"\n",
        ),
        (
            "[[vm]]\nsize = \"performance-1x\"\nprocesses = ['web']\n",
            size("web", "performance", 1, 4096),
            "[[vm]]\nsize = \"performance-1x\"\nprocesses = ['web']\nmemory = \"4gb\"\n",
        ),
    ] {
        let fly = format!("app = \"shop\"\n[processes]\nweb = \"a\"\nb = \"b\"\n\n{vm}");
        let got = both(&fly, None, &[edit]).unwrap().fly.unwrap();
        assert!(got.ends_with(after), "{vm} became {got}");
    }
    let inline = "app = \"shop\"\nvm = { memory = \"1gb\" }\n[processes]\nweb = \"a\"\nb = \"b\"\n";
    insta::assert_snapshot!(shown(inline, None, size("b", "shared", 2, 1024)), @r#"
    --- fly.toml
    +++ fly.toml
    @@ -1,3 +1,3 @@
     app = "shop"
    -vm = { memory = "1gb" }
    +vm = [{ memory = "1gb" }, { size = "shared-cpu-2x", memory = "1gb", processes = ["b"] }]
     [processes]
    "#);
    let dotted = "app = \"shop\"\nvm.memory = \"1gb\" # all\nvm.cpu_kind = 'shared' # cheap\n[processes]\nweb = \"a\"\nb = \"b\"\n";
    insta::assert_snapshot!(shown(dotted, None, size("b", "shared", 2, 1024)), @r#"
    --- fly.toml
    +++ fly.toml
    @@ -1,4 +1,4 @@
     app = "shop"
    -vm.memory = "1gb" # all
    -vm.cpu_kind = 'shared' # cheap
    +vm = [{ memory = "1gb", cpu_kind = 'shared' }, { size = "shared-cpu-2x", memory = "1gb", processes = ["b"] }] # all
    +# cheap
     [processes]
    "#);
    let only = "app = \"shop\"\n[[vm]]\nmemory = \"1gb\"\n";
    insta::assert_snapshot!(shown(only, None, size("app", "shared", 1, 2048)), @r#"
    --- fly.toml
    +++ fly.toml
    @@ -2,2 +2,3 @@
     [[vm]]
    -memory = "1gb"
    +memory = "2gb"
    +size = "shared-cpu-1x"
    "#);
}

#[test]
fn a_fly_json_is_left_to_people() {
    let files = ManifestFiles {
        fly: SourceFile {
            path: "fly.json",
            bytes: br#"{"app": "shop"}"#,
        },
        aeroform_path: "aeroform.toml",
        aeroform: None,
        new_file_header: "",
    };
    let overrides = Overrides {
        provider: Some("fly".to_owned()),
        ..Overrides::default()
    };
    let before = load(files.fly, None, &overrides).desired.unwrap();
    let error = edit(
        files,
        &overrides,
        &before,
        &[size("app", "shared", 2, 1024)],
    );
    let Err(EditError::NotToml { change, .. }) = error else {
        panic!("it is edited");
    };
    insta::assert_snapshot!(change, @r#"
    [[vm]]
    size = "shared-cpu-2x"
    memory = "1gb"
    processes = ["app"]
    "#);
}
