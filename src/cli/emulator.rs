//! `aeroform emulator`: the emulated Machines API behind a socket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::Context;
use super::args::{EmulatorArgs, Fill, RateLimits};
use super::codes;
use super::formats::{self, CommandOutput};
use super::project::{SizeLimit, read_file};
use crate::emulator::http::{Server, router};
use crate::emulator::storage::WorldStore;
use crate::emulator::world::World;
use crate::emulator::{TokioClock, faults};
use crate::ui::{Exit, Failure, Signals};

/// How long a stopped Machine cannot be started again: third parties measured about 400 ms.
const RESTART_DELAY: Duration = Duration::from_millis(400);

/// Serves until a signal.
pub(super) async fn run(context: &Context<'_>, args: &EmulatorArgs) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let server = build_server(context, args)?;
    let unable = |error: std::io::Error| {
        Failure::new(
            codes::NOT_LISTENING,
            format!("cannot listen at {}", args.listen),
        )
        .cause(error)
        .hint("use another address with `--listen`; port 0 chooses a free port")
    };
    let listener = TcpListener::bind(args.listen).await.map_err(unable)?;
    let address = listener.local_addr().map_err(unable)?;
    let ui = context.ui;
    if !address.ip().is_loopback() {
        ui.warn(&format!(
            "{address} is reachable from other computers, and the emulator accepts any token"
        ));
    }
    let url = format!("http://{address}");
    formats::print(ui, CommandOutput::EmulatorListens(&url));
    tokio::select! {
        _ = signals.next() => Ok(Exit::Done),
        end = axum::serve(listener, router(server)) => end.map(|()| Exit::Done).map_err(unable),
    }
}

fn build_server(context: &Context<'_>, args: &EmulatorArgs) -> Result<Server, Failure> {
    let now = context.env.unix_now();
    let keeper = args.data.as_deref().map(|path| {
        let keeper = WorldStore::open(path).map_err(|why| not_persisted_error(path, &why))?;
        let times = keeper
            .times(now)
            .map_err(|why| not_persisted_error(path, &why))?;
        Ok::<_, Failure>((keeper, times, path))
    });
    let keeper = keeper.transpose()?;
    let times = keeper.as_ref().map(|(_, times, _)| *times);
    let (beginning, ahead) = times.unwrap_or((now, Duration::ZERO));
    let seed = match args.seed {
        Some(seed) => seed.to_string(),
        None => context.env.new_run_id().to_string(),
    };
    let mut world = World::new(seed, Arc::new(TokioClock::starting_at(ahead)));
    world.begin_at(beginning);
    world.fills_in = args.fill == Fill::On;
    world.timings.latency = args.latency;
    world.timings.lingers = RESTART_DELAY;
    world.timings.once = args.once;
    world.limit_rates(args.rate_limits == RateLimits::Real);
    if let Some(path) = &args.faults {
        load_faults(&mut world, path)?;
    }
    let Some((keeper, _, path)) = keeper else {
        return Ok(Server::new(world));
    };
    keeper
        .restore(&mut world)
        .map_err(|why| not_persisted_error(path, &why))?;
    Ok(Server::new(world).with_store(keeper))
}

fn load_faults(world: &mut World, path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let bad = |why: &str| {
        Failure::new(
            codes::BAD_FAULTS,
            format!("cannot read the faults in `{shown}`: {why}"),
        )
    };
    let bytes = read_file(path, SizeLimit::Data)?.ok_or_else(|| bad("there is no such file"))?;
    let text = String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8"))?;
    for fault in faults::parse_faults(&text).map_err(|why| bad(why.trim_end()))? {
        world.inject(fault);
    }
    Ok(())
}

fn not_persisted_error(path: &Path, why: &str) -> Failure {
    Failure::new(
        codes::EMULATOR_DATA,
        format!(
            "cannot open the emulator's data file `{}`: {why}",
            path.display()
        ),
    )
}
