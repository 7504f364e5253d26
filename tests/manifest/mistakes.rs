//! Files broken by hand: what is wrong, and the text.

/// A fly.toml without a mistake, for mistakes in aeroform.toml.
pub(crate) const FLY: &str = "app = \"shop\"\n\n[processes]\nweb = \"bin/web\"\nworker = \"bin/work\"\n\n\
    [[services]]\ninternal_port = 8080\nprocesses = [\"web\"]\n[[services.ports]]\nport = 443\n";

/// Mistakes in fly.toml: what it is, the text.
pub(crate) const IN_FLY: &[(&str, &str)] = &[
    (
        "a string is not closed",
        "app = \"shop\nprimary_region = \"gru\"\n",
    ),
    ("a value without quotes", "app = shop\n"),
    ("a header is not closed", "app = \"a\"\n[env\nX = \"1\"\n"),
    ("several syntax errors", "app = \nkill_signal = 'x\n[[vm]\n"),
    (
        "a long string is not closed",
        "app = \"a\"\n[processes]\nweb = \"\"\"\nbin/web\nworker = \"w\"\n",
    ),
    (
        "a path of Windows",
        "app = \"a\"\n[env]\nHOME = \"C:\\Program\"\n",
    ),
    (
        "a merge that was not finished",
        "<<<<<<< HEAD\napp = \"a\"\n=======\napp = \"b\"\n>>>>>>> other\n",
    ),
    (
        "a key twice",
        "app = \"a\"\n[env]\nX = \"1\"\nY = \"2\"\nX = \"3\"\n",
    ),
    (
        "a table twice",
        "app = \"a\"\n[env]\nX = \"1\"\n\n[env]\nY = \"2\"\n",
    ),
    (
        "a group twice",
        "app = \"a\"\n[processes]\nweb = \"a\"\nweb = \"b\"\n",
    ),
    (
        "a group twice in the old form",
        "app = \"a\"\n[[processes]]\nname = \"w\"\ncommand = \"a\"\n[[processes]]\nname = \"w\"\ncommand = \"b\"\n",
    ),
    (
        "a host without a size",
        "app = \"a\"\nhost_dedication_id = \"h\"\n",
    ),
    (
        "two sizes for one group",
        "app = \"a\"\n[[vm]]\nsize = \"shared-cpu-1x\"\n[[vm]]\nsize = \"shared-cpu-2x\"\n",
    ),
    (
        "keys that slipped below a header",
        "app = \"a\"\n[env]\nprimary_region = \"ams\"\n[processes]\nweb = \"w\"\nauto_stop_machines = \"stop\"\n",
    ),
    (
        "a group of the old form without its command",
        "app = \"a\"\n[[processes]]\nname = \"w\"\ncmd = \"run\"\n",
    ),
    (
        "two services on one port",
        "app = \"a\"\n[http_service]\ninternal_port = 8080\n[[services]]\ninternal_port = 8080\n[[services.ports]]\nport = 9000\n",
    ),
    (
        "two services take requests on one port",
        "app = \"a\"\n[http_service]\ninternal_port = 8080\n[[services]]\ninternal_port = 9090\n[[services.ports]]\nport = 443\n",
    ),
    (
        "an empty mount beside a real one",
        "app = \"a\"\n[[mounts]]\n[[mounts]]\nsource = \"data\"\ndestination = \"/data\"\n",
    ),
    (
        "commands for a shell",
        "app = \"a\"\n[deploy]\nrelease_command = \"cd app && migrate\"\n[processes]\nweb = \"rake db:migrate && puma -p $PORT\"\n",
    ),
    (
        "build keys of other types",
        "app = \"a\"\n[build]\nbuildpacks = \"x\"\n[build.args]\nNODE_VERSION = 20\n",
    ),
    (
        "containers that lack an image or a name",
        "app = \"a\"\ncontainer = \"zz\"\nmachine_config = '{\"containers\": [{\"name\": \"x\"}]}'\n",
    ),
    (
        "a number of 20 digits",
        "app = \"a\"\n[env]\nN = 12345678901234567890\n",
    ),
    (
        "empty durations where flyctl takes none",
        "app = \"a\"\n[http_service]\ninternal_port = 8080\n[[http_service.checks]]\ninterval = \"\"\n[deploy]\nwait_timeout = \"\"\n",
    ),
    ("counts in fly.toml", "app = \"a\"\n[machines]\ncount = 2\n"),
    (
        "sections in capitals",
        "app = \"a\"\n[Mounts]\nsource = \"d\"\ndestination = \"/d\"\n[[Metrics]]\nport = 1\n",
    ),
    (
        "a service for the group without a name",
        "app = \"a\"\n[[services]]\ninternal_port = 1\nprocesses = [\"\"]\n[[services.ports]]\nport = 1\n",
    ),
    ("a NUL", "app = \"a\0b\"\n"),
    (
        "an escape sequence in a key",
        "app = \"a\"\n\"\\u001b[31m\" = 1\n",
    ),
    ("no app", "primary_region = \"ams\"\n"),
    ("an app name with a capital", "app = \"Shop\"\n"),
    ("a placeholder for an app", "app = \"${APP}\"\n"),
    ("the app is a number", "app = 7\n"),
    (
        "a region in capitals",
        "app = \"a\"\nprimary_region = \"GRU\"\n",
    ),
    (
        "an unknown key, close to a right one",
        "app = \"a\"\nprimary_regoin = \"gru\"\n",
    ),
    (
        "an unknown key, close to none",
        "app = \"a\"\nschedule = \"daily\"\n",
    ),
    (
        "an unknown key in a table",
        "app = \"a\"\n[[vm]]\nmemroy = \"1gb\"\n",
    ),
    (
        "a process is a list",
        "app = \"a\"\n[processes]\nweb = [\"bin/web\"]\n",
    ),
    (
        "a command with an open quote",
        "app = \"a\"\n[processes]\nweb = \"sh -c 'bin/web\"\n",
    ),
    (
        "a command that ends in a backslash",
        "app = \"a\"\n[processes]\nweb = 'bin/web \\'\n",
    ),
    (
        "an old process without a command",
        "app = \"a\"\n[[processes]]\nname = \"web\"\n",
    ),
    (
        "a service names a group that is not there",
        "app = \"a\"\n[processes]\nweb = \"w\"\n[http_service]\ninternal_port = 80\nprocesses = [\"wbe\"]\n",
    ),
    (
        "a service names no group",
        "app = \"a\"\n[processes]\nweb = \"w\"\njobs = \"j\"\n[http_service]\ninternal_port = 80\n",
    ),
    (
        "a service names a group as a string",
        "app = \"a\"\n[processes]\nweb = \"w\"\n[http_service]\ninternal_port = 80\nprocesses = \"web\"\n",
    ),
    (
        "a vm names a group that is not there",
        "app = \"a\"\n[processes]\nweb = \"w\"\n[[vm]]\nmemory = \"1gb\"\nprocesses = [\"worker\"]\n",
    ),
    (
        "a group without [processes]",
        "app = \"a\"\n[[restart]]\npolicy = \"never\"\nprocesses = [\"web\"]\n",
    ),
    (
        "vm.processes is a list of tables",
        "app = \"a\"\n[[vm]]\n[[vm.processes]]\napp = \"x\"\n",
    ),
    (
        "a port beyond the last",
        "app = \"a\"\n[http_service]\ninternal_port = 80800\n",
    ),
    (
        "a port of a text",
        "app = \"a\"\n[[services]]\ninternal_port = \"http\"\n[[services.ports]]\nport = 80\n",
    ),
    (
        "a service without ports",
        "app = \"a\"\n[[services]]\ninternal_port = 80\n",
    ),
    (
        "a table where a list belongs",
        "app = \"a\"\n[restart]\npolicy = \"always\"\n",
    ),
    (
        "a restart policy in the platform's word",
        "app = \"a\"\n[[restart]]\npolicy = \"no\"\n",
    ),
    (
        "a duration without a unit",
        "app = \"a\"\nkill_timeout = \"30\"\n",
    ),
    (
        "a duration that is none",
        "app = \"a\"\nkill_timeout = \"soon\"\n",
    ),
    (
        "a number that Fly reads as nanoseconds",
        "app = \"a\"\n[http_service]\ninternal_port = 80\n[[http_service.checks]]\ninterval = 10000\n",
    ),
    (
        "a check without a type",
        "app = \"a\"\n[checks.alive]\nport = 80\n",
    ),
    (
        "a check without a port",
        "app = \"a\"\n[checks.alive]\ntype = \"tcp\"\n",
    ),
    (
        "a check too often",
        "app = \"a\"\n[checks.alive]\ntype = \"tcp\"\nport = 80\ninterval = \"1s\"\n",
    ),
    (
        "handlers, a protocol and a kind of load that there are not",
        "app = \"a\"\n[[services]]\ninternal_port = 80\nprotocol = \"http\"\n[services.concurrency]\n\
            type = \"request\"\n[[services.ports]]\nport = 443\nhandlers = [\"https\", \"TLS\"]\n",
    ),
    (
        "a range of ports the wrong way round",
        "app = \"a\"\n[[services]]\ninternal_port = 80\n[[services.ports]]\nstart_port = 90\n\
            end_port = 80\n",
    ),
    (
        "headers of a check as a list, which only old sections take",
        "app = \"a\"\n[http_service]\ninternal_port = 80\n[[http_service.checks]]\npath = \"/\"\n\
            [[http_service.checks.headers]]\nname = \"Host\"\nvalue = \"a\"\n",
    ),
    (
        "checks of another section beside [http_service]",
        "app = \"a\"\n[http_service]\ninternal_port = 80\n[[services.http_checks]]\npath = \"/\"\n",
    ),
    (
        "less than none, and more than there can be",
        "app = \"a\"\nkill_timeout = -5\nswap_size_mb = 99999999999\n[http_service]\n\
            internal_port = -1\nmin_machines_running = -2\n[[vm]]\ncpus = -1\nmemory = \"-1gb\"\n\
            [[mounts]]\nsource = \"a\"\ndestination = \"/a\"\ninitial_size = -3\n",
    ),
    (
        "a service without a port of either kind, whose checks are slow",
        "app = \"a\"\n[[services]]\nprotocol = \"tcp\"\n[[services.tcp_checks]]\ninterval = \"90s\"\n\
            timeout = \"500ms\"\ngrace_period = \"61s\"\n",
    ),
    (
        "an old name of a size",
        "app = \"a\"\n[[vm]]\nsize = \"dedicated-cpu-2x\"\n",
    ),
    (
        "autostop in quotes",
        "app = \"a\"\n[http_service]\ninternal_port = 80\nauto_stop_machines = \"true\"\n",
    ),
    (
        "a size that is not sold",
        "app = \"a\"\n[[vm]]\nsize = \"shared-cpu-3x\"\n",
    ),
    (
        "memory of less than a megabyte",
        "app = \"a\"\n[[vm]]\nmemory = \"0.5\"\n",
    ),
    (
        "memory in a foreign unit",
        "app = \"a\"\n[[vm]]\nmemory = \"1 gallon\"\n",
    ),
    (
        "two mounts in a group",
        "app = \"a\"\n[[mounts]]\nsource = \"a\"\ndestination = \"/a\"\n[[mounts]]\nsource = \"b\"\ndestination = \"/b\"\n",
    ),
    (
        "a mount without a path",
        "app = \"a\"\n[mounts]\nsource = \"data\"\n",
    ),
    (
        "a strategy that is none",
        "app = \"a\"\n[deploy]\nstrategy = \"roling\"\n",
    ),
    (
        "canary with mounts",
        "app = \"a\"\n[deploy]\nstrategy = \"canary\"\n[mounts]\nsource = \"a\"\ndestination = \"/a\"\n",
    ),
    (
        "nothing may ever be down",
        "app = \"a\"\n[deploy]\nmax_unavailable = 0\n",
    ),
    (
        "autostop in a wrong word",
        "app = \"a\"\n[http_service]\ninternal_port = 80\nauto_stop_machines = \"stopp\"\n",
    ),
    (
        "an env value of many parts",
        "app = \"a\"\n[env]\nHOSTS = [\"a\", \"b\"]\n",
    ),
    (
        "a number beyond all numbers",
        "app = \"a\"\nswap_size_mb = 99999999999999999999999\n",
    ),
    ("a list where [env] belongs", "app = \"a\"\nenv = \"X=1\"\n"),
    (
        "two groups on one port",
        "app = \"a\"\n[processes]\nweb = \"w\"\napi = \"x\"\n[http_service]\ninternal_port = 80\nprocesses = [\"web\"]\n[[services]]\ninternal_port = 81\nprocesses = [\"api\"]\n[[services.ports]]\nport = 443\n",
    ),
    (
        "stopped and never started",
        "app = \"a\"\n[http_service]\ninternal_port = 80\nauto_stop_machines = \"stop\"\nauto_start_machines = false\n",
    ),
    (
        "stopped, and nothing of starting",
        "app = \"a\"\n[http_service]\ninternal_port = 80\nauto_stop_machines = true\n",
    ),
    (
        "a signal that is none",
        "app = \"a\"\nkill_signal = \"SIGTREM\"\n",
    ),
    (
        "a signal by its short name",
        "app = \"a\"\nkill_signal = \"term\"\n",
    ),
    (
        "an end that takes too long",
        "app = \"a\"\nkill_timeout = \"10m\"\n",
    ),
    (
        "a secret in [env]",
        "app = \"a\"\n[env]\nSTRIPE_SECRET_KEY = \"sk_live_0123456789\"\n",
    ),
    (
        "secrets elsewhere",
        "app = \"a\"\n[processes]\nweb = \"bin/x --token=sk_live_0123456789\"\n\
         [build]\nimage = \"ana:hunter2@registry.example/shop:1\"\n\
         [deploy]\nrelease_command = \"migrate --url redis://:hunter2@cache\"\n\
         [checks.up]\ntype = \"http\"\nport = 80\npath = \"/up?token=abcd1234\"\n\
         [checks.up.headers]\nX-Harmless = \"Bearer abcd12345678\"\n",
    ),
    (
        "a syntax error on the line of a secret",
        "app = \"a\"\n[env]\nAPI_TOKEN = \"kjhGFd765rfGHJk\n",
    ),
    (
        "a name of Fly's in [env]",
        "app = \"a\"\n[env]\nFLY_REGION = \"ams\"\n",
    ),
    (
        "a restart for one of two groups",
        "app = \"a\"\n[processes]\nweb = \"w\"\nworker = \"x\"\n[[restart]]\npolicy = \"always\"\n",
    ),
    (
        "a release command with an open quote",
        "app = \"a\"\n[deploy]\nrelease_command = \"sh -c 'x\"\n",
    ),
    (
        "a wait in nanoseconds",
        "app = \"a\"\n[deploy]\nwait_timeout = 600\n",
    ),
    (
        "max_unavailable beside immediate",
        "app = \"a\"\n[deploy]\nstrategy = \"immediate\"\nmax_unavailable = 1\n",
    ),
    (
        "two ways to build",
        "app = \"a\"\n[build]\nimage = \"i\"\nbuilder = \"b\"\n",
    ),
    (
        "a compression that is none",
        "app = \"a\"\n[build]\ncompression = \"xz\"\n",
    ),
    (
        "a compose file",
        "app = \"a\"\n[build.compose]\nfile = \"c.yml\"\n",
    ),
    (
        "a volume below the smallest",
        "app = \"a\"\n[mounts]\nsource = \"a\"\ndestination = \"/a\"\ninitial_size = \"500mb\"\n",
    ),
    (
        "a volume that grows by half a rule",
        "app = \"a\"\n[mounts]\nsource = \"a\"\ndestination = \"/a\"\nauto_extend_size_threshold = 80\n",
    ),
    (
        "snapshots for too long",
        "app = \"a\"\n[mounts]\nsource = \"a\"\ndestination = \"/a\"\nsnapshot_retention = 90\n",
    ),
    (
        "a file without a path",
        "app = \"a\"\n[[files]]\nraw_value = \"x\"\n",
    ),
    (
        "a file without content",
        "app = \"a\"\n[[files]]\nguest_path = \"/a\"\n",
    ),
    (
        "a file for one group",
        "app = \"a\"\n[processes]\nweb = \"w\"\napi = \"x\"\n[[files]]\nguest_path = \"/a\"\nraw_value = \"x\"\nprocesses = [\"web\"]\n",
    ),
    (
        "a file in base64",
        "app = \"a\"\n[[files]]\nguest_path = \"/a\"\nraw_value = \"aGVsbG8gd29ybGQ=\"\n",
    ),
    (
        "a machine config that is none",
        "app = \"a\"\nmachine_config = '{\"env\": 1}'\n",
    ),
    (
        "a machine config with sections of fly.toml",
        "app = \"a\"\nmachine_config = '{\"env\": {\"X\": \"1\"}}'\n",
    ),
    (
        "a machine check without a command",
        "app = \"a\"\n[[machine_checks]]\nimage = \"i\"\n",
    ),
];

/// Mistakes in aeroform.toml beside [`FLY`].
pub(crate) const IN_AEROFORM: &[(&str, &str)] = &[
    ("an unknown key", "imgae = \"x\"\n"),
    ("an unknown key in a group", "[groups.web]\ncuont = 3\n"),
    ("a key in another case", "Provider = \"fly\"\n"),
    ("a group that is not there", "[groups.wroker]\ncount = 3\n"),
    ("a count that is a string", "[groups.web]\ncount = \"3\"\n"),
    ("a count below zero", "[groups.web]\ncount = -1\n"),
    ("a count beyond reason", "[groups.web]\ncount = 5000000\n"),
    (
        "count and regions disagree",
        "[groups.web]\ncount = 5\nregions = { gru = 5, iad = 3 }\n",
    ),
    ("regions is a string", "[groups.web]\nregions = \"gru\"\n"),
    ("no regions", "[groups.web]\nregions = []\n"),
    (
        "a region twice",
        "[groups.web]\nregions = [\"gru\", \"iad\", \"gru\"]\n",
    ),
    (
        "a region map with a string",
        "[groups.web]\nregions = { gru = \"5\" }\n",
    ),
    (
        "a region map with a bad name",
        "[groups.web]\nregions = { \"São Paulo\" = 5 }\n",
    ),
    (
        "more than fit",
        "[groups.web]\ncount = 8\nregions = [\"gru\", \"iad\"]\nmax_per_region = 3\n",
    ),
    (
        "more in a region than may be",
        "[groups.web]\nregions = { gru = 5 }\nmax_per_region = 3\n",
    ),
    (
        "standby of a group with services",
        "[groups.web]\nstandby = true\n",
    ),
    (
        "standby is a string",
        "[groups.worker]\nstandby = \"one\"\n",
    ),
    (
        "moved from a group that is there",
        "[[moved]]\nfrom = \"worker\"\nto = \"web\"\n",
    ),
    (
        "moved to a group that is not there",
        "[[moved]]\nfrom = \"old\"\nto = \"wrker\"\n",
    ),
    ("moved to nowhere", "[[moved]]\nfrom = \"old\"\n"),
    (
        "moved to itself",
        "[[moved]]\nfrom = \"old\"\nto = \"old\"\n",
    ),
    (
        "moved twice",
        "[[moved]]\nfrom = \"old\"\nto = \"web\"\n[[moved]]\nfrom = \"old\"\nto = \"worker\"\n",
    ),
    (
        "moved, a group and a Machine",
        "[[moved]]\nfrom = \"old\"\nmachine = \"1\"\nto = \"web\"\n",
    ),
    (
        "removed and moved",
        "[[moved]]\nmachine = \"148ed\"\nto = \"web\"\n[[removed]]\nmachine = \"148ed\"\n",
    ),
    (
        "a Machine id that is a path",
        "[[removed]]\nmachine = \"../x\"\n",
    ),
    ("a share beyond all", "[policy]\nmax_destroy = \"125%\"\n"),
    (
        "two places of the state",
        "[state]\npath = \"a.json\"\nurl = \"https://x\"\n",
    ),
    ("an empty provider", "provider = \"\"\n"),
    (
        "a local command that cannot be split",
        "[groups.web.local]\ncommand = \"it's\"\n",
    ),
    (
        "a verify command with an open quote",
        "[deploy]\nverify = \"bin/smoke 'x\"\n",
    ),
    (
        "a verify command that is only a comment",
        "[deploy]\nverify = \"# later\"\n",
    ),
    (
        "settings of the whole app where a group belongs",
        "[groups]\ncount = 3\n",
    ),
    (
        "no Machine of a group may be down",
        "[groups.web.deploy]\nmax_unavailable = 0\n",
    ),
    (
        "fewer than none may be down",
        "[groups.web.deploy]\nmax_unavailable = -0.5\n",
    ),
    (
        "a limit that is no number",
        "[groups.web.deploy]\nmax_unavailable = nan\n",
    ),
    (
        "a limit without end",
        "[groups.web.deploy]\nmax_unavailable = inf\n",
    ),
    (
        "a limit that is text",
        "[groups.web.deploy]\nmax_unavailable = \"33%\"\n",
    ),
    (
        "a strategy that is none",
        "[groups.web.deploy]\nstrategy = \"roling\"\n",
    ),
    ("no wait at all", "[groups.web.deploy]\nwait_timeout = 0\n"),
    (
        "a steady window as long as the wait of the group",
        "[groups.web.deploy]\nwait_timeout = \"30s\"\nsteady = \"30s\"\n",
    ),
    (
        "an order that is one region",
        "[groups.web.deploy]\norder = \"gru\"\n",
    ),
    ("an order of nothing", "[groups.web.deploy]\norder = []\n"),
    (
        "a region twice in an order",
        "[groups.web.deploy]\norder = [\"gru\", \"*\", \"gru\"]\n",
    ),
    (
        "all other regions twice",
        "[groups.web.deploy]\norder = [\"*\", \"gru\", \"*\"]\n",
    ),
    (
        "a region in capitals in an order",
        "[groups.web.deploy]\norder = [\"GRU\"]\n",
    ),
    (
        "an order of groups that is one list",
        "[deploy]\ngroups_order = [\"web\", \"worker\"]\n",
    ),
    ("an order of no groups", "[deploy]\ngroups_order = []\n"),
    (
        "an empty list of groups",
        "[deploy]\ngroups_order = [[\"web\"], []]\n",
    ),
    (
        "a group that is not there in an order",
        "[deploy]\ngroups_order = [[\"wroker\"], [\"web\"]]\n",
    ),
    (
        "a group twice in an order",
        "[deploy]\ngroups_order = [[\"worker\"], [\"web\", \"worker\"]]\n",
    ),
    (
        "bluegreen groups one after the other",
        "[deploy]\ngroups_order = [[\"worker\"], [\"web\"]]\n[groups.web.deploy]\nstrategy = \"bluegreen\"\n[groups.worker.deploy]\nstrategy = \"bluegreen\"\n",
    ),
];

/// Mistakes that are some only where the platform's own lists hold: what it is, fly.toml, aeroform.toml.
pub(crate) const ON_FLY: &[(&str, &str, &str)] = &[
    (
        "a region that there is not",
        "app = \"a\"\nprimary_region = \"gur\"\n",
        "",
    ),
    (
        "a region that is closed",
        "app = \"a\"\nprimary_region = \"waw\"\n",
        "",
    ),
    (
        "a region of aeroform.toml that there is not",
        FLY,
        "[groups.web]\nregions = { fra = 2, xyz = 1 }\n",
    ),
    (
        "more memory than the CPUs can have",
        "app = \"a\"\n[[vm]]\nsize = \"shared-cpu-1x\"\nmemory = \"8gb\"\n",
        "",
    ),
    (
        "a number of CPUs that there is not",
        "app = \"a\"\n[[vm]]\ncpu_kind = \"shared\"\ncpus = 3\n",
        "",
    ),
    ("a GPU", "app = \"a\"\n[[vm]]\nsize = \"l40s\"\n", ""),
    (
        "more Machines are to run than there are",
        "app = \"a\"\n[http_service]\ninternal_port = 80\nmin_machines_running = 3\n",
        "[groups.app]\ncount = 2\n",
    ),
    (
        "a file that is not there",
        "app = \"a\"\n[[files]]\nguest_path = \"/a\"\nlocal_path = \"conf/a\"\n",
        "",
    ),
    (
        "a limit of a group beside immediate in fly.toml",
        "app = \"a\"\n[deploy]\nstrategy = \"immediate\"\n",
        "[groups.app.deploy]\nmax_unavailable = 1\nsteady = \"20s\"\n",
    ),
    (
        "a steady window beyond the wait of fly.toml",
        "app = \"a\"\n[deploy]\nwait_timeout = \"20s\"\n",
        "[groups.app.deploy]\nsteady = \"1m\"\n",
    ),
    (
        "a canary of a group with a mount",
        "app = \"a\"\n[mounts]\nsource = \"data\"\ndestination = \"/data\"\n",
        "[groups.app.deploy]\nstrategy = \"canary\"\n",
    ),
    (
        "an order with a region that there is not",
        "app = \"a\"\n",
        "[groups.app.deploy]\norder = [\"gur\", \"*\"]\n",
    ),
    (
        "bluegreen of fly.toml with an order of groups",
        "app = \"a\"\n[deploy]\nstrategy = \"bluegreen\"\n[processes]\nweb = \"w\"\njobs = \"j\"\n",
        "[deploy]\ngroups_order = [[\"jobs\"], [\"web\"]]\n",
    ),
    (
        "order and a limit beside bluegreen",
        "app = \"a\"\n[processes]\nweb = \"w\"\n",
        "[groups.web.deploy]\nstrategy = \"bluegreen\"\norder = [\"ams\", \"*\"]\nsteady = \"20s\"\nmax_unavailable = 2\n",
    ),
    (
        "a limit beside immediate in a group",
        "app = \"a\"\n[processes]\nweb = \"w\"\n",
        "[groups.web.deploy]\nstrategy = \"immediate\"\nmax_unavailable = 2\n",
    ),
    (
        "order and steady beside immediate",
        "app = \"a\"\n[processes]\nweb = \"w\"\n",
        "[groups.web.deploy]\nstrategy = \"immediate\"\norder = [\"gru\"]\nsteady = \"5s\"\n",
    ),
];
