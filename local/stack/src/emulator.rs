//! The AWS emulator, as a child process.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::aws::Aws;
use crate::calls::{Call, Calls};
use crate::front::Front;
use crate::options::StackOptions;
use crate::process::Process;
use crate::watch::{PATIENCE, Watch};
use crate::{net, simulator::Simulator};

/// Starts of the emulator that are tried: another process may take the port first.
const ATTEMPTS: usize = 3;
const STEP: Duration = Duration::from_millis(50);

/// The running emulator.
#[derive(Debug)]
pub(crate) struct Emulator {
    process: Process,
    aws: Aws,
    calls: Arc<Calls>,
    /// The functions' way to it.
    _way: Front,
}

impl Emulator {
    /// Starts the emulator. Functions inherit its environment, so that is where they learn of the
    /// way to the simulator.
    pub(crate) async fn start(
        options: &StackOptions,
        simulator: Option<&Simulator>,
    ) -> anyhow::Result<Self> {
        let python = options.python();
        ensure!(
            python.exists(),
            "the AWS emulator is not installed ({} is missing); `make setup` installs it",
            python.display()
        );
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            match Self::try_start(options, simulator).await {
                Ok(emulator) => return Ok(emulator),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| anyhow::anyhow!("the emulator was not started")))
    }

    async fn try_start(
        options: &StackOptions,
        simulator: Option<&Simulator>,
    ) -> anyhow::Result<Self> {
        let port = net::free_port()?;
        let aws = Aws::at(port)?;
        let temporary = options.file("tmp");
        std::fs::create_dir_all(&temporary)
            .with_context(|| format!("create {}", temporary.display()))?;
        let calls = Arc::new(Calls::default());
        let (listener, _) = net::listen(0).await?;
        let way = Front::of_functions(listener, options.throttles_one_in, Arc::clone(&calls))?;
        way.point_to(aws.endpoint().to_owned());
        let mut environment = vec![
            ("BIND_HOST", "127.0.0.1".to_owned()),
            ("GATEWAY_PORT", port.to_string()),
            ("MINISTACK_REGION", Aws::REGION.to_owned()),
            ("IOT_MTLS_ENABLED", "0".to_owned()),
            ("LOG_LEVEL", "INFO".to_owned()),
            ("AWS_ENDPOINT_URL", way.address().to_owned()),
            ("TMPDIR", temporary.display().to_string()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
        ];
        if let Some(simulator) = simulator {
            environment.push(("HTTPS_PROXY", simulator.proxy_url().to_owned()));
        }
        let script = options.root.join("local/tools/emulator.py");
        let mut process = Process::start(
            "the AWS emulator",
            &options.python(),
            &[script.as_os_str()],
            &environment,
            options.file("emulator.log"),
        )?;
        let mut watch = Watch::new(Instant::now());
        while !watch.stands_still("starting", Instant::now()) {
            process.check()?;
            if aws.is_ready().await {
                return Ok(Self { process, aws, calls, _way: way });
            }
            tokio::time::sleep(STEP).await;
        }
        anyhow::bail!("the AWS emulator was not ready in {} minutes", PATIENCE.as_secs() / 60)
    }

    pub(crate) fn aws(&self) -> &Aws {
        &self.aws
    }

    /// What the functions have asked of it so far.
    pub(crate) fn calls(&self) -> BTreeSet<Call> {
        self.calls.seen()
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }
}
