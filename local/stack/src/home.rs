//! Where the product runs for a demo: in one process on embedded stores, or as functions on the
//! emulator. The demo knows neither; it sees what both have.

use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;

use crate::embedded::Embedded;
use crate::issuer::Caller;
use crate::options::StackOptions;
use crate::simulator::Simulator;
use crate::stack::Stack;
use crate::ticker::Ticker;

/// A kind of home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum On {
    /// `crm-sync serve`: one process, its stores in a folder.
    Embedded,
    /// The functions, on the AWS emulator.
    Emulator,
}

impl On {
    /// Its name, as the command line takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Emulator => "emulator",
        }
    }
}

/// A running home. Dropping it ends everything in it.
#[derive(Debug)]
pub enum Home {
    /// One process.
    Embedded(Box<Embedded>),
    /// The functions.
    Emulator(Box<Stack>),
}

/// How a connection's generations show in the stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    /// The partitions of their items begin so.
    pub partitions: String,
    /// The keys of their objects begin so.
    pub objects: String,
    /// The names of their secrets hold this.
    pub secrets: String,
}

/// What the stores hold of a connection's generations, counted without the product's own code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Items of the table.
    pub items: usize,
    /// Objects.
    pub objects: usize,
    /// Secrets.
    pub secrets: usize,
}

impl Home {
    /// Brings everything up.
    ///
    /// # Errors
    /// Says what is missing and the command that makes it, or what did not start and why.
    pub async fn start(on: On, options: StackOptions) -> anyhow::Result<Self> {
        Ok(match on {
            On::Embedded => Self::Embedded(Box::new(Embedded::start(&options).await?)),
            On::Emulator => Self::Emulator(Box::new(Stack::start(options).await?)),
        })
    }

    /// The address of the API, without a slash at the end.
    #[must_use]
    pub fn api_base(&self) -> &str {
        match self {
            Self::Embedded(embedded) => embedded.api_base(),
            Self::Emulator(stack) => stack.api_base(),
        }
    }

    /// The simulated Salesforce.
    ///
    /// # Errors
    /// When it was started without an org.
    pub fn simulator(&self) -> anyhow::Result<&Simulator> {
        match self {
            Self::Embedded(embedded) => Ok(embedded.simulator()),
            Self::Emulator(stack) => stack.simulator().context("no org was given to simulate"),
        }
    }

    /// A token for `caller`, valid for twelve hours.
    pub async fn token(&self, caller: Caller<'_>) -> anyhow::Result<String> {
        match self {
            Self::Embedded(embedded) => embedded.token(caller).await,
            Self::Emulator(stack) => stack.token(caller),
        }
    }

    /// How many messages wait or are worked on, in each queue.
    pub async fn messages_under_way(&self) -> anyhow::Result<Vec<(String, u64)>> {
        match self {
            Self::Embedded(embedded) => embedded.messages_under_way().await,
            Self::Emulator(stack) => Ok(owned(stack.messages_under_way().await?)),
        }
    }

    /// The queues whose dead-letter queue holds messages, with how many.
    pub async fn parked_messages(&self) -> anyhow::Result<Vec<(String, u64)>> {
        match self {
            Self::Embedded(embedded) => embedded.parked_messages().await,
            Self::Emulator(stack) => Ok(owned(stack.parked_messages().await?)),
        }
    }

    /// Ticks each `pause` until the ticker is dropped, so that nobody waits for the minute. One
    /// process ticks each second by itself.
    pub fn ticker(&self, pause: Duration) -> anyhow::Result<Option<Ticker>> {
        match self {
            Self::Embedded(_) => Ok(None),
            Self::Emulator(stack) => stack.ticker(pause).map(Some),
        }
    }

    /// Counts what the stores hold of the generations of a connection.
    pub async fn left(&self, of: &Traces) -> anyhow::Result<Left> {
        match self {
            Self::Embedded(embedded) => embedded.left(of),
            Self::Emulator(stack) => stack.left(of).await,
        }
    }

    /// The file that tells more when something fails.
    #[must_use]
    pub fn log(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "serve.log",
            Self::Emulator(_) => "emulator.log",
        }
    }
}

fn owned(counts: Vec<(&'static str, u64)>) -> Vec<(String, u64)> {
    counts.into_iter().map(|(queue, count)| (queue.to_owned(), count)).collect()
}
